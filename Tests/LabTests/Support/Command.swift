// Runs a program of the checkout's and waits for its end, within a time limit.
// Facts: posix_spawn(3), waitpid(2).

import FoundationEssentials
import Glibc
import Measurement
import Testing

/// What a program did.
struct Command {
  let status: Int32
  let output: String
  let error: String

  /// The report that `spectrap run --json` or one of its relatives has printed, which must have succeeded.
  func report() throws -> RunReport {
    try #require(status == 0, "\(error)")
    return try JSONDecoder().decode(RunReport.self, from: Data(output.utf8))
  }

  struct Failure: Error, CustomStringConvertible { let description: String }

  /// The folder of this checkout.
  static let checkout = String(#filePath.prefix(#filePath.count - "/Tests/LabTests/Support/Command.swift".count))

  /// Runs a program of the checkout's, by its path there, with nothing on its standard input.
  ///
  /// It waits without holding a thread. Past `timeLimit` the program gets SIGTERM, then SIGKILL, and this throws.
  static func run(_ path: String, _ arguments: [String], timeLimit: Duration) async throws -> Command {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let process = try spawn(
      checkout + "/" + path, arguments, output: folder.path + "/stdout", error: folder.path + "/stderr")

    var status: CInt = 0
    var signals = [SIGTERM, SIGKILL]
    var deadline = ContinuousClock.now + timeLimit
    // Safe: the process is a child of this one that nobody else waits for.
    while unsafe waitpid(process, &status, WNOHANG) == 0 {
      if ContinuousClock.now > deadline, !signals.isEmpty {
        kill(process, signals.removeFirst())
        deadline = ContinuousClock.now + .seconds(5)
      }
      try? await Task.sleep(for: .milliseconds(50))
    }
    guard signals.count == 2 else { throw Failure(description: "\(path) still ran after \(timeLimit)") }
    guard status & 0x7f == 0 else { throw Failure(description: "\(path) was ended by signal \(status & 0x7f)") }
    return Command(
      status: status >> 8 & 0xff, output: try folder.read("stdout"), error: try folder.read("stderr"))
  }

  private static func spawn(
    _ program: String, _ arguments: [String], output: String, error: String
  ) throws -> pid_t {
    var files = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    var signals = sigset_t()
    var process: pid_t = 0
    // Safe: every structure is this call's own, and the argument strings live until the child has its copy. The child
    // must not inherit a blocked SIGTERM from a worker thread.
    unsafe posix_spawn_file_actions_init(&files)
    defer { unsafe posix_spawn_file_actions_destroy(&files) }
    unsafe posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&files, 1, output, O_WRONLY | O_CREAT, 0o600)
    unsafe posix_spawn_file_actions_addopen(&files, 2, error, O_WRONLY | O_CREAT, 0o600)
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    unsafe sigemptyset(&signals)
    unsafe posix_spawnattr_setsigmask(&attributes, &signals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    let result = unsafe posix_spawn(&process, program, &files, &attributes, &words, environ)
    guard result == 0 else {
      throw Failure(description: "\(program): \(unsafe String(cString: strerror(result)))")
    }
    return process
  }
}

/// A folder of its own under /tmp.
struct TemporaryFolder {
  let path = "/tmp/spectrap-lab-tests-\(UUID().uuidString)"

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false) }

  /// Writes a file and gives its path.
  func write(_ text: String, to name: String) throws -> String {
    let file = path + "/" + name
    try text.write(toFile: file, atomically: false, encoding: .utf8)
    return file
  }

  func read(_ name: String) throws -> String { try String(contentsOfFile: path + "/" + name, encoding: .utf8) }

  // What stays behind in /tmp harms nobody.
  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
