// `spectrap probe`: describes this host in a table.

import ArgumentParser
import Experiments
import Host
import Hypervisor
import Measurement
import Migration
import Rendering

struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Describes this host and what it can do; each fact is proved where a proof is possible.",
    discussion: Help.text(
      examples: [
        "spectrap probe",
        "spectrap probe --json > host.json",
        "spectrap probe --advise",
      ], more: "docs/json.md and docs/glossary.md"))

  @OptionGroup var identity: IdentityOptions
  @OptionGroup var kvm: KVMOptions
  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @Flag(help: "Print the settings to change on this host before measuring, with the commands; changes nothing.")
  var advise = false

  func validate() throws {
    if advise && json { throw ValidationError("--advise prints text only: leave out --json") }
  }

  func run() throws {
    try Failure.reporting {
      if advise { return try Output.document(MeasuringAdvice.all().document) }
      let identity = identity.begin()
      var (kvmOffer, trials): (KVMOffer?, HostTrials?)
      var offer: HostOffer?
      var failure: (any Error)?
      do {
        let kvm = try kvm.open()
        kvmOffer = try KVMOffer(of: kvm)
        trials = try HostTrials.prove(on: kvm)
        let proofs = try trials?.complete()
        if json, let proofs { offer = try HostOffer.prove(on: kvm, abilities: proofs.abilities) }
      } catch { failure = error }
      let host = HostReport(offer: kvmOffer, trials: trials)
      // The part of the report that needs no KVM is printed in any case; the failure follows.
      if json {
        try Output.json(HostDocument(identity: identity, host: host, offer: offer))
      } else {
        try Output.document(host.document)
      }
      if let failure { throw failure }
    }
  }
}
