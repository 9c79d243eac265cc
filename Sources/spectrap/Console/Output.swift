// Where results go: to standard output. A result that cannot be written whole is a failure, not a silence.

import Glibc
import Hypervisor
import Rendering
import Synchronization
import SystemPackage

enum Output {
  /// Writes a result.
  ///
  /// - Throws: `Failure` when standard output does not take it (a full disk, say).
  static func result(_ text: String) throws { try write(text.printable) }

  /// Writes a document, as wide as the terminal.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func document(_ document: Document) throws { try result(document.text(width: Terminal.width)) }

  /// Writes a path on a line of its own, byte by byte where a program reads it.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func path(_ path: FilePath) throws {
    if isatty(destination.rawValue) == 1 { return try result("\(path)\n") }
    try write(path.bytes + Array("\n".utf8))
  }

  /// Whether a file has standard output to itself: what is for a person goes to standard error then.
  private static let isTaken = Atomic(false)

  /// From now on standard output is a file's.
  static func takeStandardOutput() { isTaken.store(true, ordering: .relaxed) }

  static var destination: FileDescriptor {
    isTaken.load(ordering: .relaxed) ? .standardError : .standardOutput
  }

  /// Checks that results can be written.
  ///
  /// - Throws: `Failure` when standard output is closed, or a device that takes nothing.
  static func check() throws {
    do throws(Errno) { try destination.checkForWriting() } catch { throw Failure(error, writing: name) }
  }

  private static var name: String { destination == .standardOutput ? "standard output" : "standard error" }

  private static func write(_ text: String) throws { try write(Array(text.utf8)) }

  private static func write(_ bytes: [UInt8]) throws {
    do throws(Errno) { try destination.writeWhole(bytes) } catch {
      if error == .brokenPipe { throw NobodyReads() }
      throw Failure(error, writing: name)
    }
  }

  /// Why a result went nowhere: who reads it has had enough.
  struct NobodyReads: Error {}

  /// Ends the program as every other one in a pipeline that nobody reads any more, without a word.
  static func endUnread() -> Never {
    _ = signal(SIGPIPE, SIG_DFL)
    raise(SIGPIPE)
    // Where the signal is blocked.
    exit(128 + SIGPIPE)
  }

  /// Writes a value as JSON.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func json(_ value: some Encodable) throws { try write(try value.jsonText()) }
}
