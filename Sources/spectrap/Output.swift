// Where text goes: results to standard output, everything else to standard error. A result that cannot be written whole is
// a failure, not a silence.

import FoundationEssentials
import SystemPackage

enum Output {
  /// Writes a result.
  ///
  /// Throws `Failure` when standard output does not take it (a full disk, say).
  static func result(_ text: String) throws {
    do { try FileDescriptor.standardOutput.writeAll(text.utf8) } catch {
      throw Failure(status: .ioError, message: "standard output: \(error)")
    }
  }

  /// Writes a value as JSON: keys sorted, so that two results compare line by line.
  ///
  /// Throws `Failure` when standard output does not take it.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try result(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
  }

  /// Writes a line for the person at the terminal.
  static func error(_ line: String) {
    // There is no one left to tell when standard error is closed.
    _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8)
  }
}
