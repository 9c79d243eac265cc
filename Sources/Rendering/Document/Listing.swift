// The listing of a guest on a terminal that is narrower than its lines.

/// A listing: one instruction per line, with a comment behind `; `.
public enum Listing {
  /// The listing in `width` columns.
  ///
  /// A longer comment is wrapped in its own column, or below the code where that column is too narrow.
  public static func text(_ listing: String, width: Int) -> String {
    listing.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      .map { line(String($0), width: width) }.joined()
  }

  private static func line(_ line: String, width: Int) -> String {
    guard line.count > width, let mark = line.firstRange(of: "; ") else { return line + "\n" }
    let code = String(line[..<mark.lowerBound])
    let comment = String(line[mark.upperBound...])
    let column = code.count + 2
    if width - column >= 24 { return comment.wrapped(width: width, first: code + "; ", indent: column) }
    return code.withoutTrailingSpaces + "\n" + comment.wrapped(width: width, first: "          ; ", indent: 12)
  }
}
