// Where text goes: results to standard output, everything else to standard error. A result that cannot be written whole is
// a failure, not a silence.

import FoundationEssentials
import SystemPackage

enum Output {
  /// Writes a result.
  ///
  /// Throws `Failure` when standard output does not take it (a full disk, say).
  static func result(_ text: String) throws { try write(text.printable) }

  private static func write(_ text: String) throws {
    do { try FileDescriptor.standardOutput.writeAll(text.utf8) } catch {
      throw Failure(status: .ioError, message: "standard output: \(error)")
    }
  }

  /// Writes a value as JSON.
  ///
  /// Throws `Failure` when standard output does not take it.
  static func json(_ value: some Encodable) throws { try write(try encoded(value)) }

  /// A value as JSON text: keys sorted, so that two results compare line by line.
  ///
  /// Throws what `JSONEncoder` throws.
  static func encoded(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }

  /// Writes a line for the person at the terminal.
  static func error(_ line: String) { toTerminal(line.printable + "\n") }

  /// Writes what replaces the line that stands there.
  static func progress(_ text: String) { toTerminal("\r" + text) }

  private static func toTerminal(_ text: String) {
    // There is no one left to tell when standard error is closed.
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }
}

extension String {
  /// The text without what changes more than the text on a terminal: words out of a file or from another host may be in it.
  fileprivate var printable: String {
    let isHarmless = { (scalar: Unicode.Scalar) in
      scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
    }
    if unicodeScalars.allSatisfy(isHarmless) { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { isHarmless($0) ? $0 : "\u{fffd}" }))
  }
}
