// The middle of a set of samples.

extension [Double] {
  /// The median; nil where there is no sample.
  package var median: Double? { sorted().middle }

  /// The median of samples that are in rank order; nil where there is none.
  var middle: Double? {
    guard !isEmpty else { return nil }
    return count.isMultiple(of: 2) ? midpoint(self[count / 2 - 1], self[count / 2]) : self[count / 2]
  }
}

/// The number halfway between two: halves first, so that the largest numbers have one, too.
func midpoint(_ one: Double, _ other: Double) -> Double { one / 2 + other / 2 }
