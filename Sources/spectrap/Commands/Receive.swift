// `spectrap receive`: waits for a guest, takes it over, and runs it to its end.

import ArgumentParser
import Experiments
import Hypervisor
import Migration

struct Receive: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive",
    abstract: "Waits for a guest that `spectrap migrate` sends, and runs it to its end.",
    discussion: """
      The source is told what this host offers, and decides. From the moment in which the whole guest is here, it goes on \
      here even if the source dies.
      """)

  @Argument(help: ArgumentHelp("Where to wait.", valueName: "unix:path"))
  var address: String

  @Option(
    help: ArgumentHelp("The MSR that the guest's policy is about.", valueName: "name|0xN"), transform: MSR.argument)
  var msr: MSR = .specCtrl

  @Option(
    help: ArgumentHelp("Stop the guest after this many seconds; 0 for no limit.", valueName: "seconds"),
    transform: Run.timeLimits)
  var timeLimit = 60.0

  @Option(
    help: ArgumentHelp(
      "Take a guest of this user's process, too (by default only of yours, or of root's).", valueName: "number"),
    transform: whole(0...UInt32.max))
  var peerUser: UInt32?

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @OptionGroup var kvm: KVMOptions
  @OptionGroup var sandbox: SandboxOptions

  func validate() throws { _ = try UnixPath(address) }

  func run() throws {
    try Failure.reporting {
      let kvm = try kvm.open()
      let offer = try HostOffer.prove(on: kvm, subject: msr)
      // Measured now, not while a guest is stopped; and for every guest, whatever its user accepts.
      let costs = try Terms(offer.abilities, acceptsUnprotected: true).measured(for: .adaptive, on: kvm).adaptiveCosts
      let control = RunControl(timeLimit: timeLimit == 0 ? nil : .seconds(timeLimit))
      try Interrupt.cancels(control)
      let listener = try Listener(at: try UnixPath(address).path, for: PeerRule(other: peerUser))
      Output.error("spectrap: waiting for a guest at \(address)")
      let host = HostDescription(json: json)
      let record = try record(at: listener, on: kvm, offering: offer, costs: costs, control)
      try Run.show(record, entryChoice: "as it was started", on: host)
      try Resume.checkCompletion(of: record.stopped, after: timeLimit)
    }
  }

  /// Receives the first whole guest, and runs it.
  private func record(
    at listener: borrowing Listener, on kvm: borrowing KVM, offering offer: HostOffer, costs: AdaptiveCosts?,
    _ control: RunControl
  ) throws -> RunRecord {
    let enter = { [sandbox, file = listener.file] in
      // Now: no other guest is awaited, and the sandbox does not allow removing files.
      file.remove()
      try sandbox.enter()
    }
    while let connection = try listener.accept(
      unless: { control.isCancelled }, refusing: { Output.error("spectrap: \($0): sent away; still waiting") })
    {
      do {
        return try PausedExperiment.receive(
          from: connection, on: kvm, offering: offer, costs: costs, control: control, beforeEntry: enter,
          notifying: { Output.error("spectrap: \($0)") })
      } catch TransferError.nobody(let reason) {
        Output.error("spectrap: no guest has come (\(reason)); still waiting")
      }
    }
    throw Failure(status: .interrupted, message: "stopped on request; no guest came")
  }
}
