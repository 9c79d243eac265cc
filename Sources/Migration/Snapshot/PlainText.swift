// Words that come from a file or from another process and go to a terminal: one line, of a length that a person reads.
// Facts: Unicode, general categories Cc (control), Cf (format: the overrides of writing direction among them), Zl and
// Zp (separators of lines and paragraphs, U+2028 and U+2029).

extension Unicode.Scalar {
  /// Whether it changes nothing but the text on a terminal.
  fileprivate var isPlain: Bool {
    ![.control, .format, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
  }
}

extension String {
  /// The longest text in bytes that is taken from elsewhere.
  static let longestFromElsewhere = 4096

  /// Whether the text is one line that changes nothing else on a terminal.
  public var isPlain: Bool { unicodeScalars.allSatisfy(\.isPlain) }

  /// The text as one line of at most 1000 characters: what is not plain stands as `?`, and what is too long ends in an
  /// ellipsis.
  public var plain: String {
    var text = String(String.UnicodeScalarView(unicodeScalars.prefix(1000).map { $0.isPlain ? $0 : "?" }))
    if unicodeScalars.count > 1000 { text += "…" }
    return text
  }
}
