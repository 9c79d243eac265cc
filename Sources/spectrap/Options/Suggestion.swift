// What a word that is no name was meant to be.
// Facts: the distance counts letters that are put in, left out, changed, or swapped with their neighbour (Damerau
// 1964).

enum Suggestion {
  /// The names that there are, and which of them was meant where one is near.
  static func text(for word: String, among names: [String]) -> String {
    "one of \(names.joined(separator: ", "))" + (nearest(to: word, among: names).map { "; did you mean \($0)?" } ?? "")
  }

  /// The name that a word was probably meant to be: the only one that begins with it, or else the nearest within 2
  /// letters; nil where none is.
  static func nearest(to word: String, among names: [String]) -> String? {
    let beginning = names.filter { $0.hasPrefix(word) }
    if word.count > 1, beginning.count == 1 { return beginning[0] }
    // A short word is near to everything.
    let reach = min(2, word.count / 2)
    return names.map { (name: $0, distance: distance(word, $0)) }.filter { $0.distance <= reach }
      .min { $0.distance < $1.distance }?.name
  }

  /// How many letters have to be put in, left out, changed or swapped with the next to make one word of the other.
  private static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (Array(first), Array(second))
    // Each row is for so many letters of the first word, each column for so many of the second.
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
