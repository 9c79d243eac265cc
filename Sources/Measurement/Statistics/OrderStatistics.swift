// The median of units that are independent of each other, and the two of them between which it lies. It assumes nothing
// about their distribution.
// Facts: the number of units below the median is binomial with p = 1/2 (Conover, "Practical Nonparametric Statistics",
// 3.2).

import Glibc

/// Figures of independent units in rank order.
struct OrderStatistics {
  private let sorted: [Double]

  /// The order statistics of these figures; nil where there are none.
  init?(_ figures: [Double]) {
    guard !figures.isEmpty else { return nil }
    sorted = figures.sorted()
  }

  var median: Double { sorted.middle ?? sorted[0] }
  var range: Interval { Interval(sorted[0], sorted[sorted.count - 1]) }

  /// The interval that holds the median with at least this confidence; nil where not even the extremes do.
  func medianInterval(confidence: Double = 0.95) -> Interval? {
    Self.rank(count: sorted.count, confidence: confidence).map { Interval(sorted[$0], sorted[sorted.count - 1 - $0]) }
  }

  /// The median of the distances from the median, scaled so that it is the standard deviation of a normal distribution.
  var spread: Double {
    let median = median
    return 1.4826 * (sorted.map { abs($0 - median) }.median ?? 0)
  }

  /// The largest k for which the k-th figure from below and from above (counted from 0) enclose the median with this
  /// confidence; nil when not even the extremes do.
  static func rank(count: Int, confidence: Double) -> Int? {
    // P(X <= k) for X binomial(count, 1/2), summed in units of the first term to stay in range for large counts.
    var rank: Int?
    var cumulative = 0.0
    var logTerm = -Double(count) * 0.693147180559945309
    for k in 0..<count {
      cumulative += exp(logTerm)
      guard cumulative <= (1 - confidence) / 2 else { break }
      rank = k
      logTerm += log(Double(count - k)) - log(Double(k + 1))
    }
    return rank
  }

  /// The fewest figures whose extremes enclose the median with this confidence.
  static func fewest(confidence: Double) -> Int { max(2, Int((1 - log2(1 - confidence)).rounded(.up))) }
}

extension RatioEstimate {
  /// A ratio over hosts: each host's own, and the median of those.
  ///
  /// The interval is the hosts' order statistics, or their range where they are too few.
  ///
  /// A host whose own ratio is not known is left out.
  ///
  /// - Throws: `RatioUnknown` with the last host's reason, if no host has a ratio.
  init(ofHosts cell: [[Double]], over baseline: [[Double]], confidence: Double) throws(RatioUnknown) {
    var ratios: [Double] = []
    var unknown = RatioUnknown.noCommonRound
    for (dividend, divisor) in zip(cell, baseline) where !dividend.isEmpty && !divisor.isEmpty {
      do throws(RatioUnknown) {
        ratios.append(try RatioUnknown.ratio(of: dividend.first, over: divisor.first).ratio)
      } catch { unknown = error }
    }
    guard let statistics = OrderStatistics(ratios) else { throw unknown }
    self.init(
      ratio: statistics.median, interval: statistics.medianInterval(confidence: confidence) ?? statistics.range,
      confidence: confidence, rounds: ratios.count)
  }
}

extension DifferenceEstimate {
  /// A difference over hosts, made as a ratio is; nil where no host has both.
  init?(ofHosts cell: [[Double]], minus baseline: [[Double]], confidence: Double) {
    let differences = zip(cell, baseline).compactMap { one, other -> Double? in
      guard let one = one.first, let other = other.first else { return nil }
      return one - other
    }
    guard let statistics = OrderStatistics(differences) else { return nil }
    self.init(
      difference: statistics.median, interval: statistics.medianInterval(confidence: confidence) ?? statistics.range,
      rounds: differences.count)
  }
}
