// Plain text in columns.

/// A table that is as wide as its cells; columns are set apart by two spaces.
struct Table {
  private var rows: [[String]] = []
  /// The columns that are flush right: numbers.
  private let rightColumns: Set<Int>

  init(right: Set<Int> = []) { rightColumns = right }

  mutating func add(_ cells: String...) { rows.append(cells) }

  var text: String {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += (column == 0 ? "" : "  ") + (rightColumns.contains(column) ? padding + cell : cell + padding)
      }
      return line.trimmingTrailingSpaces + "\n"
    }.joined()
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    String(self[..<(lastIndex { $0 != " " }.map(index(after:)) ?? startIndex)])
  }

  /// The text in lines of at most `width` characters, broken at spaces; later lines are indented.
  func wrapped(_ width: Int, indent: Int) -> String {
    var lines: [String] = []
    var line = ""
    for word in split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = String(repeating: " ", count: indent)
        line += word
      } else {
        line += (line.allSatisfy { $0 == " " } ? "" : " ") + word
      }
    }
    return (lines + [line]).joined(separator: "\n")
  }
}
