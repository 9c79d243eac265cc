// Text as it may go to a terminal: words out of a file or from another host may be in it.
// Facts: Unicode Standard, section 4.5 (general category), section 23.2 (layout controls: U+202E reverses what
// follows), section 5.8 (U+2028 and U+2029 end lines).

import Registers

extension String {
  /// The text without what changes more than the text on a terminal.
  package var printable: String { replacing { !$0.isHarmless && $0 != "\n" } }

  /// The same as one line, whatever ends lines in it.
  package var printableLine: String { replacing { !$0.isHarmless } }

  /// JSON text with escapes for such characters, which can only stand in its strings.
  package var printableJSON: String {
    guard unicodeScalars.contains(where: { !$0.isHarmless && $0 != "\n" }) else { return self }
    return unicodeScalars.map { $0.isHarmless || $0 == "\n" ? String($0) : $0.escape }.joined()
  }

  private func replacing(_ isBad: (Unicode.Scalar) -> Bool) -> String {
    guard unicodeScalars.contains(where: isBad) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { isBad($0) ? "\u{fffd}" : $0 }))
  }
}

extension Unicode.Scalar {
  /// It as JSON escapes it: the four digits of each unit of UTF-16.
  fileprivate var escape: String {
    String(self).utf16.map { "\\u" + $0.hexDigits(4) }.joined()
  }

  /// Whether it is a character that stands where it is put, or a tab.
  fileprivate var isHarmless: Bool {
    switch properties.generalCategory {
    case .control: self == "\t"
    case .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
    default: true
    }
  }
}
