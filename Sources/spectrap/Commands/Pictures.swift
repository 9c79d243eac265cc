// Renders charts by Python's vl-convert, which reads a specification from a pipe and writes a picture to another.
// Facts: posix_spawn(3), pipe(7), waitpid(2).

import Glibc
import SystemPackage

enum Pictures {
  enum Format: String, CaseIterable { case svg, png }

  static func isInstalled() throws -> Bool {
    let question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vl_convert') is None)"
    return try run(["python3", "-c", question], input: "").status == 0
  }

  /// Renders a specification.
  ///
  /// - Throws: `Failure` when the renderer fails.
  static func render(_ specification: String, _ format: Format) throws -> [UInt8] {
    let script =
      switch format {
      case .svg: "sys.stdout.write(vl_convert.vegalite_to_svg(sys.stdin.read()))"
      case .png: "sys.stdout.buffer.write(vl_convert.vegalite_to_png(sys.stdin.read(), scale=2))"
      }
    let result = try run(["python3", "-X", "utf8", "-c", "import sys, vl_convert; \(script)"], input: specification)
    guard result.status == 0 else {
      throw Failure(status: .software, message: "vl-convert failed to make \(format.rawValue): status \(result.status)")
    }
    return result.output
  }

  /// Runs a program that reads all of its input before it writes.
  ///
  /// - Returns: The program's exit status (127 if there is no such program) and its output.
  private static func run(_ command: [String], input: String) throws -> (status: Int32, output: [UInt8]) {
    do {
      let (toChild, fromChild) = (try Pipe(), try Pipe())
      guard let pid = try start(command, reading: toChild.reading, writing: fromChild.writing) else { return (127, []) }
      (toChild.reading, fromChild.writing) = (nil, nil)
      // A program that ends without reading reports the reason by its status.
      _ = try? toChild.writing?.descriptor.writeAll(input.utf8)
      toChild.writing = nil
      var output: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while let file = fromChild.reading {
        // Safe: the call writes at most the buffer's length.
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.descriptor.read(into: $0) }
        if count == 0 { break }
        output += buffer[..<count]
      }
      var status: Int32 = 0
      // Safe: the status is this call's own.
      while unsafe waitpid(pid, &status, 0) < 0 {
        guard errno == EINTR else { throw Errno(rawValue: errno) }
      }
      return (status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f), output)
    } catch let error as Errno {
      throw Failure(status: .software, message: "\(command[0]) cannot be run: \(error)")
    }
  }

  /// A pipe whose ends are close-on-exec.
  private final class Pipe {
    var reading: OpenFile?
    var writing: OpenFile?

    init() throws(Errno) {
      var ends: (CInt, CInt) = (0, 0)
      // Safe: two numbers, this call's own.
      let result = unsafe withUnsafeMutableBytes(of: &ends) {
        unsafe pipe($0.baseAddress!.assumingMemoryBound(to: CInt.self))
      }
      guard result == 0 else { throw Errno(rawValue: errno) }
      for end in [ends.0, ends.1] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      reading = OpenFile(owning: FileDescriptor(rawValue: ends.0))
      writing = OpenFile(owning: FileDescriptor(rawValue: ends.1))
    }
  }

  /// Starts a program with the given standard input and output; returns nil if there is no such program.
  private static func start(
    _ command: [String], reading: OpenFile?, writing: OpenFile?
  ) throws(Errno) -> pid_t? {
    var pid = pid_t()
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    var ignored = sigset_t()
    // Safe: each call gets structures of its own, made before and destroyed after they are used; the strings live until
    // the array of their addresses, which ends with nil, has been used.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    let words = unsafe command.map { unsafe strdup($0) }
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
      unsafe words.forEach { unsafe free($0) }
    }
    if let reading { unsafe posix_spawn_file_actions_adddup2(&actions, reading.descriptor.rawValue, STDIN_FILENO) }
    if let writing { unsafe posix_spawn_file_actions_adddup2(&actions, writing.descriptor.rawValue, STDOUT_FILENO) }
    // The child must not inherit the signals that this program ignores.
    unsafe sigemptyset(&ignored)
    unsafe sigaddset(&ignored, SIGPIPE)
    unsafe sigaddset(&ignored, SIGXFSZ)
    unsafe posix_spawnattr_setsigdefault(&attributes, &ignored)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    let error = unsafe posix_spawnp(&pid, command[0], &actions, &attributes, words + [nil], environ)
    if error == ENOENT { return nil }
    guard error == 0 else { throw Errno(rawValue: error) }
    return pid
  }
}
