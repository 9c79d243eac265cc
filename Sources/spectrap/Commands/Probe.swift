// `spectrap probe`: the host, in a table that a person reads in ten seconds.

import ArgumentParser
import Experiments
import Hypervisor
import Measurement
import Migration
import Rendering

struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Says what this host is and can do, each fact proved where a proof is possible.")

  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  func run() throws {
    try Failure.reporting {
      var host = HostReport()
      var offer: HostOffer?
      var failure: (any Error)?
      do {
        let kvm = try kvm.open()
        try host.addOffer(of: kvm)
        let proofs = try host.addProofs(on: kvm)
        if json { offer = try HostOffer.prove(on: kvm, abilities: proofs.abilities) }
      } catch { failure = error }
      // The part of the report that needs no KVM is printed in any case; the failure follows.
      if json { try Output.json(HostDocument(host: host, offer: offer)) } else { try Output.document(host.document) }
      if let failure { throw failure }
    }
  }
}
