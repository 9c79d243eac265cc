// `spectrap fleet run`: runs a command of this program on every host of a fleet, by Slurm or over ssh, and collects the
// results in a folder.

import ArgumentParser
import Dispatch
import Fleet
import Hypervisor
import Rendering
import Synchronization
import SystemPackage

struct FleetRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Measures each host of a fleet once, by Slurm or over ssh, and collects the results.",
    discussion: Help.text(
      """
      The command after "--" runs on every host: bench, or another command that makes a result. The folder gets \
      HOST.json, HOST.err and HOST.status.json for each host. Ctrl-C stops every measurement; --resume later measures \
      the hosts that have no result.

      This program is copied to the hosts, which need only /dev/kvm; build it with scripts/build-static.
      """,
      examples: [
        "spectrap fleet run --slurm -- bench --rounds 8",
        "spectrap fleet run --slurm --nodes 'node[1-40]' --output fleet -- bench --time 60",
        "spectrap fleet run --slurm --resume fleet",
        "spectrap fleet run --ssh hosts.txt --jobs 16 -- bench --rounds 8",
      ], more: "docs/fleet.md"))

  @Flag(help: "Measure by Slurm, with one exclusive job on each node.")
  var slurm = false

  @Option(
    help: ArgumentHelp("Measure the hosts in this file, one per line, over ssh.", valueName: "hosts.txt"),
    transform: FilePath.argument)
  var ssh: FilePath?

  @Option(help: ArgumentHelp("Slurm: measure in this partition.", valueName: "name"))
  var partition: String?

  @Option(help: ArgumentHelp("Slurm: measure these nodes, such as node[1-4] (default: all).", valueName: "list"))
  var nodes: String?

  @Option(
    help: ArgumentHelp(
      "Slurm: give up a host whose job has not started after this time (default: 600).", valueName: "seconds"),
    transform: number(1...1e7, "seconds"))
  var wait: Double?

  @Option(
    help: ArgumentHelp("ssh: measure this many hosts at once (default: 8).", valueName: "count"),
    transform: whole(1...1000))
  var jobs: Int?

  @Option(
    help: ArgumentHelp(
      "ssh: the command that reaches a host, with options (default: ssh).", valueName: "words"))
  var sshCommand: String?

  @Option(
    help: ArgumentHelp("The folder for the results (default: a new one with the time in its name).", valueName: "dir"),
    transform: FilePath.argument)
  var output: FilePath?

  @Option(
    help: ArgumentHelp(
      "Measure the hosts without a result in the folder of an earlier run, with its command.", valueName: "dir"),
    transform: FilePath.argument)
  var resume: FilePath?

  @Option(
    help: ArgumentHelp("Stop the measurement of a host after this time (default: 600).", valueName: "seconds"),
    transform: number(1...1e7, "seconds"))
  var timeLimit = 600.0

  @Flag(help: "Use the spectrap in each host's PATH instead of a copy of this one.")
  var installed = false

  @Argument(parsing: .postTerminator, help: ArgumentHelp("What each host runs.", valueName: "command"))
  var words: [String] = []

  func validate() throws {
    guard slurm != (ssh != nil) else {
      throw ValidationError("give either --slurm or --ssh and a file of hosts")
    }
    let others: [(option: String, isGiven: Bool)] =
      slurm
      ? [("--jobs", jobs != nil), ("--ssh-command", sshCommand != nil)]
      : [("--partition", partition != nil), ("--nodes", nodes != nil), ("--wait", wait != nil)]
    if let option = others.first(where: \.isGiven)?.option {
      throw ValidationError("\(option) belongs to \(slurm ? "--ssh" : "--slurm"); leave it out")
    }
    // A partition is one word of a list of options, and a list that begins with a hyphen would be an option.
    if let list = nodes, list.isEmpty || list.hasPrefix("-") {
      throw ValidationError("\"\(list)\" is not a list of nodes; give one such as node[1-4]")
    }
    if resume == nil {
      do { try check(try FleetCommand(words)) } catch let error as FleetError { throw ValidationError("\(error)") }
    } else if !words.isEmpty || output != nil || nodes != nil {
      throw ValidationError(
        "--resume takes the command, the folder and the hosts from the earlier run; leave out "
          + (!words.isEmpty ? "the command after \"--\"" : output != nil ? "--output" : "--nodes"))
    }
  }

  /// Parses the hosts' command here, so that a mistake is found once, and not on every host.
  ///
  /// - Throws: `ValidationError`.
  private func check(_ command: FleetCommand) throws {
    // Only the hosts know which processors they have.
    guard !command.words.contains(where: { $0.hasPrefix("--cpu") }) else { return }
    do { _ = try Spectrap.parseAsRoot(NegativeNumbers.joined(command.words)) } catch {
      throw ValidationError("after \"--\": \(Spectrap.message(for: error))")
    }
  }

  func run() throws {
    try Failure.reporting {
      let control = RunControl()
      // Before the first task: every thread that starts later leaves the signals to the one that waits for them.
      try Interrupt.cancels(control)
      let line = ProgressLine()
      if let ssh {
        let hosts = try [HostName](
          list: String(decoding: Input(ssh).read(1 << 24), as: UTF8.self), of: "\(ssh)")
        let reach = try SSH(command: sshCommand ?? "ssh")
        let plan = try plan { hosts }
        guard Set(plan.hosts) == Set(hosts) else {
          throw Failure(
            status: .usage,
            message: "\(ssh) has other hosts than \(plan.folder.path)/fleet.json; give the file of the earlier run")
        }
        let outcomes = try Self.awaiting {
          try await SSHRun(
            plan, by: reach, atOnce: jobs ?? 8, isCancelled: { control.isCancelled }, show: line.show
          ).measure()
        }
        line.clear()
        try conclude(outcomes, plan, isCancelled: control.isCancelled)
      } else {
        let reach = Slurm(partition: partition)
        let plan = try plan { try Self.awaiting { [nodes] in try await reach.nodes(of: nodes) } }
        let outcomes = try Self.awaiting { [wait] in
          var run = SlurmRun(
            plan, by: reach, wait: .seconds(wait ?? 600), isCancelled: { control.isCancelled }, show: line.show)
          return try await run.measure()
        }
        line.clear()
        try conclude(outcomes, plan, isCancelled: control.isCancelled)
      }
    }
  }

  /// Returns the plan: a new fleet of these hosts, or the hosts that an earlier run did not measure.
  private func plan(of hosts: () throws -> [HostName]) throws -> FleetPlan {
    if let resume {
      return try FleetPlan(
        resuming: try .existing(try Self.text(of: resume)), isInstalled: installed, timeLimit: .seconds(timeLimit))
    }
    // The hosts come first: without hosts, no folder is made.
    let hosts = try hosts()
    let path = try output.map(Self.text) ?? FleetPlan.newName
    return try FleetPlan(
      hosts: hosts, command: try FleetCommand(words), folder: try .new(path), isInstalled: installed,
      timeLimit: .seconds(timeLimit))
  }

  /// Returns a path as text, for use in a script.
  private static func text(of path: FilePath) throws -> String {
    if let text = String(validating: path.bytes, as: UTF8.self) { return text }
    throw Failure(status: .usage, message: "the path \(path) is not UTF-8; give another folder")
  }

  /// Prints the outcome of each host.
  ///
  /// - Throws: `Failure` unless all were measured.
  private func conclude(_ outcomes: [HostOutcome], _ plan: FleetPlan, isCancelled: Bool) throws {
    let progress = FleetProgress(outcomes)
    let lines = outcomes.compactMap { $0.summary?.printableLine } + ["\(progress.summary): \(plan.folder.path)"]
    try Output.result(lines.joined(separator: "\n") + "\n")
    let again =
      "`spectrap fleet run \(slurm ? "--slurm" : "--ssh \(ssh ?? "")") --resume \(plan.folder.path)` measures the rest"
    if isCancelled { throw Failure(status: .interrupted, message: "stopped on request; \(again)") }
    guard progress.isComplete else {
      let count = outcomes.count { $0.end != .measured }
      throw Failure(
        status: .software,
        message: "\(count) of \(outcomes.count) hosts \(count == 1 ? "was" : "were") not measured; \(again)")
    }
  }

  /// Runs work that waits for other programs, and waits for its end.
  private static func awaiting<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) throws -> Value {
    let box = Box<Value>()
    let end = DispatchSemaphore(value: 0)
    Task.detached {
      do { box.put(.success(try await body())) } catch { box.put(.failure(error)) }
      end.signal()
    }
    end.wait()
    return try box.take()
  }

  /// A place for the result of a task.
  private final class Box<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)

    func put(_ value: Result<Value, any Error>) { result.withLock { $0 = value } }

    func take() throws -> Value {
      guard let result = result.withLock({ $0 }) else {
        throw Failure(status: .software, message: "a task has ended without a result")
      }
      return try result.get()
    }
  }
}
