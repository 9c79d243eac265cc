// A program run as a child process: what it wrote, how it ended, never longer than it may take.
// Facts: posix_spawn(3), waitpid(2), proc(5).

import Glibc

/// How a program ended, and what it wrote.
struct Outcome: Sendable {
  /// The exit status; as a shell would report it, 128 and the signal's number, where a signal ended the program.
  let status: Int32
  let output: String
  let errors: String
  /// From the signal that it was sent to its end; nil when it was sent none.
  let timeToStop: Duration?

  /// What it wrote to standard error, line by line.
  var errorLines: [Substring] { errors.split(separator: "\n") }
}

/// Why a program could not be run to its end.
struct ChildError: Error, CustomStringConvertible {
  let description: String
}

/// A child process, which writes into files.
struct Child: Sendable {
  let pid: pid_t
  private let output: TemporaryFile
  let errors: TemporaryFile

  /// Starts a program; its standard output goes to the file `outputPath` where one is given.
  init(_ command: [String], outputPath: String? = nil) throws {
    output = try TemporaryFile()
    errors = try TemporaryFile()
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    // Safe: each call gets structures of its own, made before and destroyed after they are used.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outputPath ?? output.path, O_WRONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.path, O_WRONLY, 0)
    // The threads that tests run on block every signal, and a child would inherit that.
    var (none, interrupt) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&none)
    unsafe sigemptyset(&interrupt)
    unsafe sigaddset(&interrupt, SIGINT)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &interrupt)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    // A program that crashes must not spend its time on a backtrace.
    let inherited = ["PATH", "HOME", "LD_LIBRARY_PATH"].compactMap { (name: String) -> String? in
      unsafe getenv(name).map { unsafe "\(name)=\(String(cString: $0))" }
    }
    var child = pid_t()
    let error = unsafe withCStrings(command) { arguments in
      unsafe withCStrings(["SWIFT_BACKTRACE=enable=no"] + inherited) { environment in
        unsafe posix_spawnp(&child, arguments[0]!, &actions, &attributes, arguments, environment)
      }
    }
    guard error == 0 else {
      throw ChildError(description: "\(command[0]): \(unsafe String(cString: strerror(error)))")
    }
    pid = child
  }

  /// Waits for the end; a program that is not done by then is killed, and `ChildError` thrown.
  func outcome(by deadline: ContinuousClock.Instant, interruptedAt: ContinuousClock.Instant? = nil) throws -> Outcome {
    var status: Int32 = 0
    // Safe: the status is this call's own.
    while unsafe waitpid(pid, &status, WNOHANG) == 0 {
      guard ContinuousClock.now < deadline else { throw killed("took too long") }
      usleep(1_000)
    }
    let end = ContinuousClock.now
    let signal = status & 0x7f
    return Outcome(
      status: signal == 0 ? status >> 8 & 0xff : 128 + signal, output: output.text, errors: errors.text,
      timeToStop: interruptedAt.map { end - $0 })
  }

  /// Sends a signal, SIGINT unless another is named, 0 for none, as soon as the program blocks it, which it does to
  /// wait for it.
  ///
  /// Gives the moment, nil when the program ended before. Throws `ChildError` when it does not get there in time.
  func interruptWhenReady(
    by deadline: ContinuousClock.Instant, with signal: CInt = SIGINT
  ) throws -> ContinuousClock.Instant? {
    guard try awaitBlocked(signal == 0 ? SIGINT : signal, by: deadline) else { return nil }
    // A moment to get into the guest: this is about a run that is under way.
    usleep(100_000)
    kill(pid, signal)
    return .now
  }

  /// Waits until the program blocks a signal, which it does to wait for it; false when it ended before.
  ///
  /// Throws `ChildError` when it does not get there in time.
  @discardableResult
  func awaitBlocked(_ signal: CInt, by deadline: ContinuousClock.Instant) throws -> Bool {
    while blockedSignals & 1 << UInt64(signal - 1) == 0 {
      guard ContinuousClock.now < deadline else { throw killed("never came to wait for signal \(signal)") }
      if fact("State")?.hasPrefix("Z") != false { return false }
      usleep(1_000)
    }
    return true
  }

  private func killed(_ reason: String) -> ChildError {
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
    return ChildError(description: "the program \(reason); it wrote: \(output.text)\(errors.text)")
  }

  /// The signals that the program's first thread blocks.
  private var blockedSignals: UInt64 { fact("SigBlk").flatMap { UInt64($0, radix: 16) } ?? 0 }

  /// A line of proc(5)'s status file.
  func fact(_ name: String) -> Substring? {
    let lines = TemporaryFile.text(of: "/proc/\(pid)/status")?.split(separator: "\n") ?? []
    return lines.first { $0.hasPrefix("\(name):") }?.split(separator: "\t").last
  }
}

/// Hands over strings as the list of C strings that exec(3) takes, valid during the call.
private func withCStrings<Result>(
  _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  // Safe: the copies live until `body` has returned, and the list ends with nil.
  var copies: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) } + [nil]
  defer { unsafe copies.forEach { unsafe free($0) } }
  return unsafe body(&copies)
}
