// Writes results to standard output. A result that cannot be written whole is a failure.

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

  /// Writes a document, as wide as the terminal, in colours where it has them.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func document(_ document: Document) throws { try write(text(of: document)) }

  /// Writes documents one below the other, each with its own width.
  ///
  /// - Throws: `Failure` when standard output does not take them.
  static func documents(_ documents: [(document: Document, width: Int)]) throws {
    try write(documents.map { text(of: $0.document, width: $0.width) }.joined(separator: "\n"))
  }

  /// The printable text of a document.
  private static func text(of document: Document, width: Int = Terminal.width) -> String {
    Terminal.hasColours && destination == .standardOutput
      ? document.colouredText(width: width) : document.text(width: width).printable
  }

  /// Writes a path on a line of its own; its exact bytes, unless standard output is a terminal.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func path(_ path: FilePath) throws {
    if isatty(destination.rawValue) == 1 { return try result("\(path)\n") }
    try write(path.bytes + Array("\n".utf8))
  }

  /// Whether a result file is standard output.
  ///
  /// Text for a person then goes to standard error.
  private static let isTaken = Atomic(false)

  /// Reserves standard output for a result file.
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

  /// The reader of standard output has closed its pipe.
  struct NobodyReads: Error {}

  /// Ends the program silently by SIGPIPE, as other programs in a pipeline end when their reader is gone.
  static func endUnread() -> Never {
    _ = signal(SIGPIPE, SIG_DFL)
    raise(SIGPIPE)
    // Reached only where the signal is blocked.
    exit(128 + SIGPIPE)
  }

  /// Writes a value as JSON.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func json(_ value: some Encodable) throws { try write(try value.jsonText()) }
}
