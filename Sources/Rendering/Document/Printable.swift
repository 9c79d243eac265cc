// Removes control characters from text before it goes to a terminal: text from files and other hosts may contain them.
// Facts: Unicode Standard, section 4.5 (general category), section 23.2 (layout controls: U+202E reverses what
// follows), section 5.8 (U+2028 and U+2029 end lines).

import Registers

extension String {
  /// The text with each control character but the newline replaced by U+FFFD.
  package var printable: String { replacing { !$0.isHarmless && $0 != "\n" } }

  /// The text with each control character, newlines included, replaced by U+FFFD.
  package var printableLine: String { replacing { !$0.isHarmless } }

  /// JSON text with such characters escaped; they occur only in its strings.
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
  /// The escape in JSON: four digits for each UTF-16 code unit.
  fileprivate var escape: String {
    String(self).utf16.map { "\\u" + $0.hexDigits(4) }.joined()
  }

  /// Whether it is a tab or a character without an effect on the terminal.
  fileprivate var isHarmless: Bool {
    switch properties.generalCategory {
    case .control: self == "\t"
    case .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
    default: true
    }
  }
}
