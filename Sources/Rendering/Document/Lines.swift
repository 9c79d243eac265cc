// Breaks text into lines.

extension String {
  /// The text without spaces at its end.
  var withoutTrailingSpaces: String {
    String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)])
  }

  /// The text with each line break replaced by a space.
  package var inOneLine: String { String(map { $0.isNewline ? " " : $0 }) }

  /// The text with every occurrence of a character replaced.
  func replacing(_ character: Character, with text: String) -> String {
    String(flatMap { $0 == character ? Array(text) : [$0] })
  }

  /// The text in lines of at most `width` characters, broken at spaces; lines after the first are indented.
  ///
  /// A word that is longer than a line is broken at the line's end. Line breaks in the text count as spaces, so that
  /// text from a file cannot add lines.
  package func wrapped(width: Int, first: String = "", indent: Int = 0) -> String {
    var lines: [String] = []
    var line = first
    var isEmpty = true
    func start() {
      lines.append(line.withoutTrailingSpaces)
      line = String(repeating: " ", count: indent)
      isEmpty = true
    }
    for word in split(whereSeparator: { $0 == " " || $0.isNewline }) {
      var rest = word[...]
      if !isEmpty {
        if line.count + 1 + rest.count > width { start() } else { line += " " }
      }
      while line.count + rest.count > width, width > indent {
        let head = rest.prefix(max(1, width - line.count))
        line += head
        rest = rest.dropFirst(head.count)
        start()
      }
      line += rest
      isEmpty = rest.isEmpty
    }
    return (lines + [line.withoutTrailingSpaces]).map { $0 + "\n" }.joined()
  }
}
