// Suggests the name that a mistyped argument was meant to be.
// Facts: the distance counts inserted, deleted, changed and swapped letters (Damerau 1964).

enum Suggestion {
  /// The possible names, and a suggestion where one is near.
  static func text(for word: String, among names: [String]) -> String {
    "one of \(names.joined(separator: ", "))" + (nearest(to: word, among: names).map { "; did you mean \($0)?" } ?? "")
  }

  /// The name that a word was probably meant to be: the only one that begins with it, else the nearest within a
  /// distance of 2; nil for none.
  static func nearest(to word: String, among names: [String]) -> String? {
    let beginning = names.filter { $0.hasPrefix(word) }
    if word.count > 1, beginning.count == 1 { return beginning[0] }
    // A short word would be near to every name.
    let reach = min(2, word.count / 2)
    return names.map { (name: $0, distance: distance(word, $0)) }.filter { $0.distance <= reach }
      .min { $0.distance < $1.distance }?.name
  }

  /// The number of edits that turn one word into the other.
  private static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (Array(first), Array(second))
    // Row i and column j: the distance of the first i letters of one word from the first j of the other.
    var rows = [Array(0...b.count)]
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(row[j] + 1, rows[i][j + 1] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
