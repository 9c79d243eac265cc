// Results as JSON text.

import FoundationEssentials

extension Encodable {
  /// The value as JSON text: keys sorted, so that two results compare line by line; what a terminal would obey as
  /// escapes.
  ///
  /// - Throws: What `JSONEncoder` throws.
  package func jsonText() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self).printableJSON + "\n"
  }
}
