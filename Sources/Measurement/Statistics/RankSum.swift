// The shift between two independent sets of figures of any distribution.
//
// Method: the interval that belongs to Wilcoxon's rank sum test (Conover, "Practical Nonparametric Statistics", 5.1 and
// 5.4; Hodges and Lehmann, "Estimates of location based on rank tests", 1963). Of all pairs of one figure from each set
// the same number is left out on either side, and what is left holds the true shift. The number comes from the exact
// distribution of the rank sum where both sets are alike, so the confidence is not an approximation, however few
// figures there are.

/// Wilcoxon's rank sum of two independent sets of figures.
struct RankSum {
  /// How many figures each set has.
  let first: Int
  let second: Int

  /// How many of all pairs lie outside an interval of this confidence on either side; nil where the sets are too small
  /// for it.
  func pairsOutside(confidence: Double) -> Int? {
    let tail = (1 - confidence) / 2
    var below = 0.0
    var outside: Int?
    for (number, probability) in probabilities.enumerated() {
      below += probability
      guard below <= tail else { return outside }
      outside = number
    }
    return outside
  }

  /// The probability of each number of pairs whose second figure is the smaller one, where both sets are alike; the
  /// lower half, because the distribution is symmetric.
  private var probabilities: [Double] {
    guard first > 0, second > 0 else { return [] }
    // The coefficients of the Gaussian binomial: a factor (1 - q^(second + i)) / (1 - q^i) for each figure of the first
    // set, over the number of ways to mix the sets.
    var ways = [Double](repeating: 0, count: first * second / 2 + 1)
    ways[0] = 1
    var all = 1.0
    for i in 1...first {
      let power = second + i
      if power < ways.count {
        for number in stride(from: ways.count - 1, through: power, by: -1) { ways[number] -= ways[number - power] }
      }
      if i < ways.count {
        for number in i..<ways.count { ways[number] += ways[number - i] }
      }
      all *= Double(second + i) / Double(i)
    }
    return ways.map { $0 / all }
  }

  /// The fewest figures in each of two sets that give an interval of this confidence.
  static func fewest(confidence: Double) -> Int {
    // Where the sets do not overlap at all, the probability is one over the ways to mix them.
    var (count, ways) = (1, 2.0)
    while 2 / ways > 1 - confidence, ways.isFinite {
      count += 1
      ways *= Double(2 * (2 * count - 1)) / Double(count)
    }
    return count
  }
}
