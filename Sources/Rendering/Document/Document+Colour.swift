// Renders a document as text in colours, for a terminal that has them. Colours repeat what the words say, so that text
// without them loses nothing.
// Facts: ECMA-48, 8.3.117 (SGR: 1 bold, 2 faint, 31 red, 32 green, 33 yellow, 0 none).

extension Document {
  /// The document as text of at most `width` columns, in a terminal's colours.
  ///
  /// The text is made printable before colours are added: it contains no other control sequence.
  package func colouredText(width: Int) -> String {
    sections.map { section in
      let title = section.titleText(width: width).printable.split(separator: "\n").map { Colour.bold.around($0) + "\n" }
      return title.joined() + section.bodyText(width: width).printable.colouredWords
    }.joined(separator: "\n")
  }
}

/// A colour of a terminal.
private enum Colour: Int {
  case bold = 1
  case faint = 2
  case red = 31
  case green = 32
  case yellow = 33

  func around(_ text: some StringProtocol) -> String { "\u{1b}[\(rawValue)m\(text)\u{1b}[0m" }

  /// The words that begin or end a line, or follow a claim's number, and their colours; a longer phrase comes before
  /// one that it begins with.
  static let words: [(word: String, colour: Colour)] = [
    ("DOES NOT HOLD", .red), ("HOLDS", .green), ("NOT POSSIBLE HERE", .faint), ("NOT DECIDED", .yellow),
    ("WARNING", .yellow), ("SLOWER", .red), ("FASTER", .green),
  ]
}

extension String {
  /// The text with coloured words.
  fileprivate var colouredWords: String {
    split(separator: "\n", omittingEmptySubsequences: false).map { String($0).colouredLine }.joined(separator: "\n")
  }

  private var colouredLine: String {
    // A claim's number and two spaces may precede the word.
    let start = first == "C" ? firstRange(of: "  ")?.upperBound ?? startIndex : startIndex
    for (word, colour) in Colour.words {
      if self[start...].hasPrefix(word) {
        return self[..<start] + colour.around(word) + self[start...].dropFirst(word.count)
      }
      if hasSuffix("  " + word) { return dropLast(word.count) + colour.around(word) }
    }
    return self
  }
}
