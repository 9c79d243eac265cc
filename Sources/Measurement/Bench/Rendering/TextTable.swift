// Plain text in columns, and sentences in lines.

/// A table that is as wide as its cells; columns are set apart by two spaces.
struct TextTable {
  /// The columns that are flush right: numbers.
  let rightColumns: Set<Int>
  private(set) var rows: [[String]] = []

  init(right: Set<Int> = []) { rightColumns = right }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// The table in lines of at most `width` characters.
  ///
  /// A first cell that does not fit stands on a line of its own above its row.
  func text(width: Int) -> String {
    let columnCount = rows.map(\.count).max() ?? 0
    guard columnCount > 0 else { return "" }
    var widths = (0..<columnCount).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    let others = widths.dropFirst().reduce(0) { $0 + $1 + 2 }
    widths[0] = max(0, min(widths[0], width - others))
    return rows.map { row in
      var lines = ""
      var cells = row
      if cells[0].count > widths[0] {
        lines = cells[0] + "\n"
        cells[0] = ""
      }
      let line = cells.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return rightColumns.contains(column) ? padding + cell : cell + padding
      }.joined(separator: "  ")
      return lines + line.withoutTrailingSpaces + "\n"
    }.joined()
  }

  /// The table in GitHub's Markdown, the first row as its head.
  var markdown: String {
    guard let head = rows.first else { return "" }
    func line(_ cells: [String]) -> String {
      "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }
    return line(head) + "|" + head.indices.map { rightColumns.contains($0) ? " ---: |" : " --- |" }.joined() + "\n"
      + rows.dropFirst().map(line).joined()
  }
}

extension String {
  /// The text without spaces at its end.
  var withoutTrailingSpaces: String {
    String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)])
  }

  /// The text with every occurrence of a character replaced.
  func replacing(_ character: Character, with text: String) -> String {
    String(flatMap { $0 == character ? Array(text) : [$0] })
  }

  /// The text in lines of at most `width` characters, broken at spaces, each ended; lines after the first are indented.
  ///
  /// A word that is longer than a line is broken where the line ends.
  func wrapped(width: Int, first: String = "", indent: Int = 0) -> String {
    var lines: [String] = []
    var line = first
    var isEmpty = true
    func start() {
      lines.append(line.withoutTrailingSpaces)
      line = String(repeating: " ", count: indent)
      isEmpty = true
    }
    for word in split(separator: " ") {
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
