// Tables of plain text.

/// A table whose columns are separated by two spaces.
public struct Table: Equatable, Sendable {
  /// The columns that are aligned right: numbers.
  package let rightColumns: Set<Int>
  /// Whether the first row is a head, not one of the others.
  package let hasHead: Bool
  /// The width of columns in which longer cells are wrapped.
  let fixedColumns: [Int: Int]
  /// The indentation of each line.
  let indent: Int
  package private(set) var rows: [[String]] = []

  /// A table; columns are numbered from 0.
  ///
  /// - Parameters:
  ///   - right: columns that are aligned right.
  ///   - fixed: the width of columns in which longer cells are wrapped.
  ///   - indent: the indentation of each line.
  ///   - hasHead: whether the first row is a head.
  public init(right: Set<Int> = [], fixed: [Int: Int] = [:], indent: Int = 0, hasHead: Bool = true) {
    rightColumns = right
    self.hasHead = hasHead
    fixedColumns = fixed
    self.indent = indent
  }

  /// Adds a row.
  public mutating func add(_ cells: String...) { add(cells) }

  /// Adds a row; line breaks in a cell become spaces.
  public mutating func add(_ row: [String]) { rows.append(row.map(\.inOneLine)) }

  /// The narrowest last column in which text is wrapped.
  private static let narrowestText = 24

  /// The table in lines of at most `width` characters, as far as its cells allow.
  ///
  /// If it is too wide, the last column is wrapped if it is aligned left and wide enough. Otherwise first cells that do
  /// not fit are put above their rows; if even that is too wide, each row takes several lines.
  public func text(width: Int) -> String {
    let text = body(width: width - indent)
    guard indent > 0 else { return text }
    let margin = String(repeating: " ", count: indent)
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { line in
      line.isEmpty ? "\n" : margin + line + "\n"
    }.joined()
  }

  private func body(width: Int) -> String {
    let widths = columnWidths
    guard let first = widths.first, let last = widths.last else { return "" }
    let whole = widths.reduce(0) { $0 + $1 + 2 } - 2
    if whole <= width { return fixedColumns.isEmpty ? lines(widths) : brokenLines(widths) }
    let room = width - (whole - last)
    if !rightColumns.contains(widths.count - 1), room >= Self.narrowestText {
      return brokenLines(widths.dropLast() + [room])
    }
    let others = whole - first
    if others <= width { return lines([width - others] + widths.dropFirst()) }
    return rows.map { folded($0, widths, at: width) }.joined()
  }

  private var columnWidths: [Int] {
    let columns: Int = rows.map(\.count).max() ?? 0
    return (0..<columns).map { (column: Int) -> Int in
      if let width = fixedColumns[column] { return width }
      return rows.reduce(0) { widest, row in column < row.count ? max(widest, row[column].count) : widest }
    }
  }

  /// The rows, one line each; a first cell that is wider than its column is put above its row.
  private func lines(_ widths: [Int]) -> String {
    rows.map { row in
      var cells = row
      guard let first = cells.first, first.count > widths[0] else { return line(cells, widths) }
      cells[0] = ""
      return first + "\n" + line(cells, widths)
    }.joined()
  }

  /// The rows, with the last column and those of fixed width wrapped.
  private func brokenLines(_ widths: [Int]) -> String {
    rows.map { row in
      guard row.count == widths.count else { return line(row, widths) }
      let parts = row.indices.map { column -> [String] in
        guard column == row.count - 1 || fixedColumns[column] != nil else { return [row[column]] }
        return row[column].wrapped(width: widths[column]).split(separator: "\n", omittingEmptySubsequences: false)
          .dropLast().map(String.init)
      }
      return (0..<(parts.map(\.count).max() ?? 0)).map { number in
        line(parts.map { number < $0.count ? $0[number] : "" }, widths)
      }.joined()
    }.joined()
  }

  /// A row on several lines, the later ones indented.
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
      // A cell that is too wide even alone is wrapped.
      text += line.count <= width + 1 ? line : row[start].wrapped(width: width, first: blanks, indent: indent)
      start = end
    }
    return text
  }

  /// Some cells of a row, or all, as one line.
  private func line(_ row: [String], _ widths: [Int], _ columns: Range<Int>? = nil) -> String {
    let line = (columns ?? row.indices).map { column in
      let padding = String(repeating: " ", count: max(0, widths[column] - row[column].count))
      return rightColumns.contains(column) ? padding + row[column] : row[column] + padding
    }.joined(separator: "  ")
    return line.withoutTrailingSpaces + "\n"
  }

  /// The table in GitHub's Markdown, which gives every table a head: an empty one where this has none.
  public var markdown: String {
    guard let first = rows.first else { return "" }
    let head = hasHead ? first : first.map { _ in "" }
    func line(_ cells: [String]) -> String {
      "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }
    return line(head) + "|" + head.indices.map { rightColumns.contains($0) ? " ---: |" : " --- |" }.joined() + "\n"
      + rows.dropFirst(hasHead ? 1 : 0).map(line).joined()
  }
}
