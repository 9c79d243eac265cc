// Text that comes from a file or another process and goes to a terminal: one line of limited length.
// Facts: Unicode, general categories Cc (control), Cf (format: the overrides of writing direction among them), Zl and
// Zp (separators of lines and paragraphs, U+2028 and U+2029).

extension Unicode.Scalar {
  /// Whether it only adds text to a terminal.
  fileprivate var isPlain: Bool {
    ![.control, .format, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
  }
}

extension String {
  /// The longest text in bytes that is accepted from a file or another process.
  static let longestFromElsewhere = 4096

  /// Whether the text is one line without control characters.
  public var isPlain: Bool { unicodeScalars.allSatisfy(\.isPlain) }

  /// The text as one line of at most 1000 characters: `?` for what is not plain, an ellipsis for what is too long.
  public var plain: String {
    let line = String(String.UnicodeScalarView(unicodeScalars.prefix(1000).map { $0.isPlain ? $0 : "?" }))
    return unicodeScalars.count > 1000 ? line + "…" : line
  }
}
