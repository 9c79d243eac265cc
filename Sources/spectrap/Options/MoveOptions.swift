// The move of `spectrap migrate`: from a file or a running guest to a socket where `spectrap receive` waits.

import ArgumentParser
import Experiments
import Hypervisor
import Migration
import Rendering
import SystemPackage

struct MoveOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The guest: a file of `run --snapshot-at`, which goes on here meanwhile; or where `run --migratable` runs it.",
      valueName: "file|unix:path"))
  var from: String?

  @Option(
    help: ArgumentHelp(
      "Where `spectrap receive` waits; or a shell command whose standard input and output lead there.",
      valueName: "unix:path|exec:command"))
  var to: String?

  @Flag(help: "The sockets are joined by a program that may break, such as ssh -L (docs/migration.md).")
  var forwarded = false

  @Option(
    help: .names(of: PolicyName.self, "Who owns the MSR there (default: as here)."), transform: PolicyName.argument)
  var policy: PolicyName?

  @Flag(help: "Move even if the guest is protected less than it believes; every later result then says so.")
  var acceptUnprotected = false

  @Option(
    help: ArgumentHelp(
      "How long the guest may be stopped in all; if the destination is not ready by then, it continues here.",
      valueName: "ms"),
    transform: number(1...1e6, "ms"))
  var downTime = 300.0

  @Option(
    help: ArgumentHelp(
      "Also move it to a process of this user (default: only to your own and root's).", valueName: "number"),
    transform: whole(0...UInt32.max))
  var peerUser: UInt32?

  @Option(
    help: ArgumentHelp("Stop a guest that goes on here after this many seconds; 0 for no limit.", valueName: "seconds"),
    transform: Run.timeLimits)
  var timeLimit = 60.0

  @OptionGroup var identity: IdentityOptions
  @OptionGroup var sandbox: SandboxOptions

  /// Whether nothing about a move was chosen.
  var isUntouched: Bool {
    from == nil && to == nil && policy == nil && !acceptUnprotected && peerUser == nil && !forwarded
  }

  /// - Throws: `ValidationError` for what is missing or makes no sense.
  func check() throws {
    guard let from, let to else {
      throw ValidationError("give the guest with --from and its destination with --to, or ask for --plan")
    }
    if case .command = try MoveAddress(to), forwarded || peerUser != nil {
      throw ValidationError("--forwarded and --peer-user are about sockets: leave them out with exec:")
    }
    if from.hasPrefix(UnixPath.prefix) { _ = try UnixPath(from) }
  }

  func perform(kvm options: KVMOptions, json: Bool) throws {
    guard let from, let to else { return }
    var request = try MoveAddress(to).request
    request.isForwarded = forwarded
    request.policy = policy
    request.acceptsUnprotected = acceptUnprotected
    request.limits = PreCopyLimits(downTime: .milliseconds(downTime))
    request.peers = PeerRule(other: peerUser)

    if from.hasPrefix(UnixPath.prefix) {
      return try Self.show(MoveDesk.order(request, at: try UnixPath(from).path), json: json)
    }
    let snapshot = try ExperimentSnapshot.read(try FilePath.argument(from))
    let paused = try PausedExperiment(snapshot)
    let kvm = try options.open()
    let terms = try Terms.prove(paused.experiment.msr, on: kvm, acceptsUnprotected: acceptUnprotected)
    let control = RunControl(timeLimit: timeLimit == 0 ? nil : .seconds(timeLimit))
    try Interrupt.cancels(control)
    let host = HostDescription(json: json, identity)
    // Of a failed move; the streams are closed by then.
    defer { _ = CarrierCommand.awaitEnds(within: .seconds(2), unless: { control.isCancelled }) }
    switch try paused.move(
      request, on: kvm, terms: terms, control: control, beforeEntry: sandbox.enter)
    {
    case .moved(let report): try report.show(json: json, awaitingCommandUnless: { control.isCancelled })
    case .stayed(let record, let reason):
      try Run.show(record, entryChoice: "as it was started", on: host)
      try Resume.checkCompletion(of: record.stopped, after: timeLimit)
      throw Failure(status: .software, message: "the guest stayed here: \(reason ?? "nobody wanted it to move")")
    }
  }

  /// Shows the result of moving a guest that another process runs.
  private static func show(_ result: MoveResult, json: Bool) throws {
    switch result {
    case .moved(let report): try report.show(json: json)
    case .refused(let reason):
      throw Failure(
        status: .unavailable, message: "the guest may not move there, and goes on where it is: \(reason.plain)")
    case .failed(let reason):
      throw Failure(status: .software, message: "the guest goes on where it is: \(reason.plain)")
    case .unknown(let reason): throw TransferError.unknown(reason.plain)
    case .ended: throw Failure(status: .software, message: "the guest ended before it could be moved")
    }
  }
}

/// Where a guest is to go: `unix:` and a path, or `exec:` and a shell command.
enum MoveAddress {
  static let commandPrefix = "exec:"
  case path(UnixPath), command([UInt8])

  /// - Throws: `ValidationError` for another kind of address.
  init(_ text: String) throws {
    guard text.hasPrefix(Self.commandPrefix) else {
      guard text.hasPrefix(UnixPath.prefix) else {
        throw ValidationError(
          "\"\(text)\" is not an address; give unix: and a path, or exec: and a shell command, as in "
            + "'exec:ssh HOST spectrap receive stdio:'")
      }
      self = .path(try UnixPath(text))
      return
    }
    let command = ProgramArguments.bytes(of: String(text.dropFirst(Self.commandPrefix.count)))
    guard command.contains(where: { $0 > UInt8(ascii: " ") }) else {
      throw ValidationError("exec: needs a shell command, as in 'exec:ssh HOST spectrap receive stdio:'")
    }
    self = .command(command)
  }

  var request: MoveRequest {
    switch self {
    case .path(let address): MoveRequest(to: address.path)
    case .command(let command): MoveRequest(through: command)
    }
  }
}

/// A socket's address on the command line: `unix:` and a path.
struct UnixPath {
  static let prefix = "unix:"
  /// The longest path in a socket's address, without the final zero, in bytes; unix(7).
  static let longest = 107
  let path: FilePath

  /// - Throws: `ValidationError` for another kind of address, and for a path that is too long for one.
  init(_ text: String) throws {
    guard text.hasPrefix(Self.prefix), text != Self.prefix else {
      throw ValidationError("\"\(text)\" is not an address; give unix: and a path, as in unix:$XDG_RUNTIME_DIR/guest")
    }
    path = try FilePath.argument(String(text.dropFirst(Self.prefix.count)))
    guard path.length <= Self.longest else {
      throw ValidationError(
        "the path of a socket has at most \(Self.longest) bytes, and this one \(path.length); give a shorter one, or one "
          + "from the working directory on")
    }
  }
}

extension MoveReport {
  /// Prints it.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  func show(json: Bool) throws {
    if json { try Output.json(MoveJSON(self)) } else { try Output.document(document) }
  }

  /// Prints it, and waits for the end of the command that has carried the guest, which goes on with what that prints.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  func show(json: Bool, awaitingCommandUnless isCancelled: () -> Bool) throws {
    try show(json: json)
    for fate in CarrierCommand.awaitEnds(within: nil, unless: isCancelled) {
      Output.error("spectrap: WARNING: \(fate), after the guest had moved")
    }
  }
}
