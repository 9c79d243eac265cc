// Results as JSON text.

import FoundationEssentials

extension Encodable {
  /// The value as JSON text.
  ///
  /// Keys are sorted, so that two results compare line by line; control characters are escaped.
  ///
  /// - Throws: The errors of `JSONEncoder`.
  package func jsonText() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self).printableJSON + "\n"
  }
}
