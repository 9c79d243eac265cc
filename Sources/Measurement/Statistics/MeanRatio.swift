// The ratio of two cells' mean costs.
//
// A median ignores rare long samples; the mean includes them. Means are noisy, so they need an interval. Method: as for
// medians (MedianBootstrap), rounds are drawn with replacement, both cells of a round together, and the percentiles are
// widened for the number of rounds; the interval also reaches as far as stretches of the run differ (`Stretches`),
// unless the clock is exact.

import Glibc

/// The ratio of two cells' means, with its 95 % interval.
package struct MeanRatio {
  package let ratio: Double
  package let interval: Interval

  /// Estimates from rounds that are paired by index; those that lack either cell are left out.
  ///
  /// Nil where the rounds are too few for an interval, and where either mean may not be above zero.
  init?(
    of cell: [[Double]], over baseline: [[Double]], replicates: Int = 1000, isExact: Bool = false,
    generator: SeededGenerator
  ) {
    var generator = generator
    let rounds = zip(cell, baseline).filter { !$0.isEmpty && !$1.isEmpty }.map { (Sum(of: $0), Sum(of: $1)) }
    guard rounds.count >= RatioEstimate.fewestRounds else { return nil }
    func ratio(_ drawn: [(Sum, Sum)]) -> Double {
      let baseline = drawn.reduce(Sum()) { $0 + $1.1 }.mean
      let quotient = baseline > 0 ? drawn.reduce(Sum()) { $0 + $1.0 }.mean / baseline : .infinity
      return quotient.isNaN ? .infinity : quotient
    }
    let sorted = (0..<replicates).map { _ in
      ratio(rounds.map { _ in rounds[generator.index(below: rounds.count)] })
    }.sorted()
    let tail = MedianBootstrap.tail(confidence: 0.95, rounds: rounds.count)
    let last = Double(sorted.count - 1)
    self.ratio = ratio(rounds)
    let logarithms = Stretches.ranges(of: rounds.count).map { log(ratio(Array(rounds[$0]))) }
    // Disturbances multiply a ratio, so its logarithm is as far off in either direction.
    let factor = isExact ? 1 : exp(Stretches.reach(of: logarithms, confidence: 0.95) ?? .infinity)
    let low = min(sorted[Int((tail * last).rounded(.down))], self.ratio / factor)
    let high = max(sorted[Int(((1 - tail) * last).rounded(.up))], self.ratio * factor)
    guard self.ratio.isNormal, low > 0, high.isFinite else { return nil }
    interval = Interval(low, high)
  }

  /// The sum and the number of a round's samples, from which a mean is made.
  private struct Sum {
    var total = 0.0
    var count = 0

    init() {}

    init(of samples: [Double]) { (total, count) = (samples.reduce(0, +), samples.count) }

    var mean: Double { total / Double(count) }

    static func + (one: Sum, other: Sum) -> Sum {
      var sum = one
      sum.total += other.total
      sum.count += other.count
      return sum
    }
  }
}
