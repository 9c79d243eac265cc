// `spectrap receive`: waits for a guest, takes it over, and runs it to its end.

import ArgumentParser
import Experiments
import Glibc
import Hypervisor
import Migration

struct Receive: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive",
    abstract: "Waits for a guest that `spectrap migrate` sends, and runs it to its end.",
    discussion: Help.text(
      """
      This host tells the source what it offers, and the source decides whether the guest may move. Once the whole \
      guest has arrived, it runs here even if the source dies. Over stdio: and with --forwarded, a stream that ends \
      does not show which side died; the guest then runs here only after the source has given it up. With stdio: the \
      result is printed on standard error.
      """,
      examples: [
        "spectrap receive unix:/tmp/there",
        "spectrap receive unix:/tmp/there --json",
        "spectrap migrate --from guest.snap --to 'exec:ssh HOST spectrap receive stdio:'",
      ], more: "docs/migration.md"))

  @Argument(
    help: ArgumentHelp(
      "Where to wait; stdio: is standard input and output, as a command of `migrate --to exec:` has them.",
      valueName: "unix:path|stdio:"))
  var address: String

  @Flag(help: "The sockets are joined by a program that may break, such as ssh -L (docs/migration.md).")
  var forwarded = false

  @Option(
    help: ArgumentHelp("The MSR that the guest's policy is about.", valueName: "name|0xN"), transform: MSR.argument)
  var msr: MSR = .specCtrl

  @Option(
    help: ArgumentHelp("Stop the guest after this many seconds; 0 for no limit.", valueName: "seconds"),
    transform: Run.timeLimits)
  var timeLimit = 60.0

  @Option(
    help: ArgumentHelp(
      "Also accept a guest from this user's process (default: only from your own and root's).", valueName: "number"),
    transform: whole(0...UInt32.max))
  var peerUser: UInt32?

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @OptionGroup var identity: IdentityOptions
  @OptionGroup var kvm: KVMOptions
  @OptionGroup var sandbox: SandboxOptions

  private static let standardStreams = "stdio:"

  func validate() throws {
    guard address == Self.standardStreams else {
      guard address.hasPrefix(UnixPath.prefix) else {
        throw ValidationError("\"\(address)\" is not an address; give unix: and a path, or stdio:")
      }
      _ = try UnixPath(address)
      return
    }
    guard !forwarded, peerUser == nil else {
      throw ValidationError("--forwarded and --peer-user are for sockets: leave them out with stdio:")
    }
    guard isatty(STDIN_FILENO) == 0, isatty(STDOUT_FILENO) == 0 else {
      throw ValidationError(
        "stdio: needs another program at standard input and output, not a terminal, as in migrate --to "
          + "'exec:ssh HOST spectrap receive stdio:'")
    }
  }

  func run() throws {
    try Failure.reporting {
      var streams: Connection?
      if address == Self.standardStreams {
        Output.takeStandardOutput()
        // Taken at once, so that nothing else is written there.
        streams = try Connection.takingStandardStreams()
      }
      let kvm = try kvm.open()
      let offer = try HostOffer.prove(on: kvm, subject: msr)
      // Measured now, because a guest is stopped later; and measured even if no guest accepts to be unprotected.
      let costs = try Terms(offer.abilities, acceptsUnprotected: true).measured(for: .adaptive, on: kvm).adaptiveCosts
      let control = RunControl(timeLimit: timeLimit == 0 ? nil : .seconds(timeLimit))
      try Interrupt.cancels(control)
      let host = HostDescription(json: json, identity)
      let record: RunRecord
      if let streams = streams.take() {
        record = try self.record(over: streams, on: kvm, offering: offer, costs: costs, control)
      } else {
        let listener = try Listener(
          at: try UnixPath(address).path, for: PeerRule(other: peerUser), isForwarded: forwarded)
        Output.error("spectrap: waiting for a guest at \(address)")
        record = try self.record(at: listener, on: kvm, offering: offer, costs: costs, control)
      }
      try Run.show(record, entryChoice: "as it was started", on: host)
      try Resume.checkCompletion(of: record.stopped, after: timeLimit)
    }
  }

  /// Receives the guest that comes over the standard streams, and runs it.
  private func record(
    over streams: consuming Connection, on kvm: borrowing KVM, offering offer: HostOffer, costs: AdaptiveCosts?,
    _ control: RunControl
  ) throws -> RunRecord {
    do {
      return try PausedExperiment.receive(
        from: streams, on: kvm, offering: offer, costs: costs, control: control, beforeEntry: sandbox.enter,
        notifying: { Output.error("spectrap: \($0)") })
    } catch {
      if control.isCancelled {
        throw Failure(status: .interrupted, message: "stopped on request; no guest had arrived")
      }
      throw error
    }
  }

  /// Receives the first whole guest, and runs it.
  private func record(
    at listener: borrowing Listener, on kvm: borrowing KVM, offering offer: HostOffer, costs: AdaptiveCosts?,
    _ control: RunControl
  ) throws -> RunRecord {
    let enter = { [sandbox, file = listener.file] in
      // Removed now: no other guest is awaited, and the sandbox does not allow removing files.
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
        Output.error("spectrap: no guest arrived (\(reason)); still waiting")
      }
    }
    throw Failure(status: .interrupted, message: "stopped on request; no guest had arrived")
  }
}
