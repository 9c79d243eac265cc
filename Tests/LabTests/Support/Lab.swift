// The lab's machines as the tests see them: each is booted once, runs all commands that any test asks about, and keeps
// their results.

import FoundationEssentials
import Glibc
import Measurement
import Testing

/// One machine of the lab, and what it is to run: a name for each command.
struct LabHost: Sendable {
  let name: String
  let commands: [(name: String, command: String)]
  /// The products that commands run beside `spectrap`, as ./NAME.
  let programs: [String]
  /// What scripts/lab is told as well.
  let options: [String]
  let results: Task<[String: Command], any Error>

  /// With a kernel, the machine's own lies there as vmlinuz, for guests; so do the files that are made in a folder.
  init(
    _ name: String, programs: [String] = [], withKernel: Bool = false, options: [String] = [],
    making made: (@Sendable (TemporaryFolder) async throws -> [String])? = nil,
    _ commands: KeyValuePairs<String, String>
  ) {
    let commands = commands.map { (name: $0.key, command: $0.value) }
    self.programs = programs
    self.options = options
    self.name = name
    self.commands = commands
    results = Task {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let files = try await made?(folder) ?? []
      return try await Self.boot(name, commands, programs, files: files, withKernel: withKernel, options: options)
    }
  }

  /// What a command did.
  func result(_ command: String) async throws -> Command {
    try #require(try await results.value[command], "no command \(command) was run on \(name)")
  }

  /// The report of a `spectrap run --json`, which must have succeeded.
  func run(_ command: String) async throws -> RunReport { try await result(command).report() }

  /// The report of a `spectrap probe --json`, which must have succeeded.
  func probe(_ command: String = "probe") async throws -> HostReport {
    struct Document: Decodable { let host: HostReport }
    return try JSONDecoder().decode(Document.self, from: try await json(command)).host
  }

  /// The result of a `spectrap compare --json`, whatever it found.
  func comparison(_ command: String = "compare") async throws -> ReportComparison {
    let result = try await result(command)
    try #require([0, 1].contains(result.status), "\(name), \(command): \(result.error)")
    return try JSONDecoder().decode(ReportComparison.self, from: Data(result.output.utf8))
  }

  private func json(_ command: String) async throws -> Data {
    let result = try await result(command)
    try #require(result.status == 0, "\(name), \(command): \(result.error)")
    return Data(result.output.utf8)
  }

  // MARK: The one boot

  /// Boots a host once for all of these commands; `files` lie beside them, and those that are wanted of what they leave
  /// behind go into a folder.
  static func boot(
    _ host: String, _ commands: [(name: String, command: String)], _ programs: [String] = [], files: [String] = [],
    wanted: [String] = [], into kept: TemporaryFolder? = nil, withKernel: Bool = false, options: [String] = []
  ) async throws -> [String: Command] {
    let folder = try kept ?? TemporaryFolder()
    defer { if kept == nil { folder.remove() } }
    var script = """
      run() {
        name=$1; shift
        "$@" >out 2>err
        echo "@@ $name $?"; cat out; echo; echo "@@ error"; cat err; echo
      }

      """
    for (name, command) in commands { script += "run \(name) \(command) >>results\n" }
    let file = try folder.write(script, to: "script")
    var arguments =
      [host, "--script", file, "--get", "results", "--output", folder.path, "--time-limit", "1000"] + options
    if withKernel { arguments.append("--guest-kernel") }
    for program in programs {
      let build = try await Command.run("scripts/build-static", [program], timeLimit: .seconds(900))
      guard build.status == 0 else { throw Command.Failure(description: "\(program): \(build.error)") }
      arguments += ["--put", ".build-static/\(program)"]
    }
    arguments += files.flatMap { ["--put", $0] }
    arguments += wanted.flatMap { ["--get", $0] }
    // A machine that boots kernels as guests takes minutes.
    let lab = try await Turns.machines.take(isLong: withKernel) { [arguments] in
      // The program may have to be built first.
      try await Command.run("scripts/lab", arguments, timeLimit: .seconds(1100))
    }
    guard lab.status == 0 else { throw Command.Failure(description: "scripts/lab \(host): \(lab.output)\(lab.error)") }
    return parse(try folder.read("results"))
  }

  private static func parse(_ text: String) -> [String: Command] {
    var results: [String: Command] = [:]
    var last = ""
    for part in text.components(separatedBy: "@@ ").dropFirst() {
      let lines = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      let head = lines[0].split(separator: " ")
      let body = String(lines.last ?? "")
      if head.count == 2, let status = Int32(head[1]) {
        last = String(head[0])
        results[last] = Command(status: status, output: body, error: "")
      } else if let result = results[last] {
        results[last] = Command(status: result.status, output: result.output, error: body)
      }
    }
    return results
  }
}

/// Whether the lab's tests are to run.
enum Lab {
  /// They boot machines for a minute, so they run when they are asked for.
  static let isWanted = isSet("SPECTRAP_LAB") || isRequired
  /// Set where the tests run unattended: a lab that cannot start is a failure then.
  static let isRequired = isSet("SPECTRAP_REQUIRE_LAB")

  private static let problem = Task<String?, any Error> {
    let setup = try await Command.run("scripts/lab", ["--setup"], timeLimit: .seconds(900))
    // Debian's own Bochs boots some of the hosts; the tests are of all.
    return setup.status == 0 && setup.error.contains("+edits") ? nil : setup.error
  }

  static func canStart() async throws -> Bool {
    guard isWanted, !isRequired, let problem = try await problem.value else { return isWanted }
    print(problem)
    return false
  }

  private static func isSet(_ name: String) -> Bool {
    // Safe: nothing changes the environment here.
    guard let value = unsafe getenv(name) else { return false }
    return unsafe String(cString: value) == "1"
  }
}

extension Trait where Self == ConditionTrait {
  /// Runs the tests where they are asked for.
  static var whenAskedFor: Self {
    .enabled(if: Lab.isWanted, "set SPECTRAP_LAB=1 to boot the lab's machines, which takes a minute or two")
  }
  /// Runs the tests where the lab can start.
  static var needsTheLab: Self {
    .enabled("scripts/lab --setup failed and says why") { try await Lab.canStart() }
  }
}
