// Plain text in columns, and sentences in lines.

/// A table as wide as its cells, or as narrow as it has to be; columns are set apart by two spaces.
public struct TextTable {
  /// The columns that are flush right: numbers.
  let rightColumns: Set<Int>
  private(set) var rows: [[String]] = []

  /// A table whose columns of these numbers, from 0 on, are flush right.
  public init(right: Set<Int> = []) { rightColumns = right }

  /// Adds a row.
  public mutating func add(_ cells: String...) { add(cells) }

  /// Adds a row; what ends a line within a cell becomes a space.
  mutating func add(_ row: [String]) { rows.append(row.map(\.inOneLine)) }

  /// What a last column must have for its sentences to be broken into lines there.
  private static let narrowestSentence = 24

  /// The table in lines of at most `width` characters, as far as its cells allow.
  ///
  /// Where it is too wide, the sentences of a last column that is flush left are broken into lines; or else first cells
  /// that do not fit stand on lines of their own above their rows; or else each row takes several lines.
  public func text(width: Int) -> String {
    let widths = columnWidths
    guard let first = widths.first, let last = widths.last else { return "" }
    let whole = widths.reduce(0) { $0 + $1 + 2 } - 2
    if whole <= width { return lines(widths) }
    let room = width - (whole - last)
    if !rightColumns.contains(widths.count - 1), room >= Self.narrowestSentence {
      return lines(widths, breakingLastAt: room)
    }
    let others = whole - first
    if others <= width { return lines([width - others] + widths.dropFirst()) }
    return rows.map { folded($0, widths, at: width) }.joined()
  }

  private var columnWidths: [Int] {
    (0..<(rows.map(\.count).max() ?? 0)).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
  }

  /// The rows, a line each; a first cell that is wider than its column stands above its row.
  private func lines(_ widths: [Int]) -> String {
    rows.map { row in
      var cells = row
      guard let first = cells.first, first.count > widths[0] else { return line(cells, widths) }
      cells[0] = ""
      return first + "\n" + line(cells, widths)
    }.joined()
  }

  /// The rows, the cells of the last column in lines of at most `room` characters.
  private func lines(_ widths: [Int], breakingLastAt room: Int) -> String {
    rows.map { row in
      guard row.count == widths.count, let sentence = row.last else { return line(row, widths) }
      let parts = sentence.wrapped(width: room).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      return parts.enumerated().map { number, part in
        line((number == 0 ? row.dropLast() : row.dropLast().map { _ in "" }) + [String(part)], widths)
      }.joined()
    }.joined()
  }

  /// A row on as many lines as it takes, the later ones indented.
  private func folded(_ row: [String], _ widths: [Int], at width: Int) -> String {
    var text = ""
    var start = 0
    while start < row.count {
      let indent = start == 0 ? 0 : 2
      var (end, used) = (start + 1, indent + widths[start])
      while end < row.count, used + 2 + widths[end] <= width {
        used += 2 + widths[end]
        end += 1
      }
      let blanks = String(repeating: " ", count: indent)
      let line = blanks + line(row, widths, start..<end)
      // A cell that is too wide even alone is a sentence.
      text += line.count <= width + 1 ? line : row[start].wrapped(width: width, first: blanks, indent: indent)
      start = end
    }
    return text
  }

  /// These cells of a row, or all, as one line.
  private func line(_ row: [String], _ widths: [Int], _ columns: Range<Int>? = nil) -> String {
    let line = (columns ?? row.indices).map { column in
      let padding = String(repeating: " ", count: max(0, widths[column] - row[column].count))
      return rightColumns.contains(column) ? padding + row[column] : row[column] + padding
    }.joined(separator: "  ")
    return line.withoutTrailingSpaces + "\n"
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

  /// The text with a space for whatever ends a line in it.
  var inOneLine: String { String(map { $0.isNewline ? " " : $0 }) }

  /// The text with every occurrence of a character replaced.
  func replacing(_ character: Character, with text: String) -> String {
    String(flatMap { $0 == character ? Array(text) : [$0] })
  }

  /// The text in lines of at most `width` characters, broken at spaces, each ended; lines after the first are indented.
  ///
  /// A word that is longer than a line is broken where the line ends. What ends a line in the text is as good as a
  /// space: words out of a file make no lines of their own.
  public func wrapped(width: Int, first: String = "", indent: Int = 0) -> String {
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
