// The ratio of a cell's costs in two runs.
//
// The rounds of two runs do not belong together: each run's are drawn from that run's own circumstances. Each round
// counts once, by its median, since samples of a round resemble each other. The interval is that of the rank sum
// (`RankSum`), on ratios instead of differences: costs span orders of magnitude, and what disturbs a round multiplies.
// It needs no replicates, so its confidence can be as high as a comparison of many cells needs.

/// The ratio of a cell's medians in two runs, with an interval from their rounds.
struct RunRatio: Equatable {
  /// The medians over all samples.
  let first: Double
  let second: Double
  /// The second over the first.
  let ratio: Double
  /// The interval that holds the ratio with the confidence asked for; nil where the rounds are too few or leave it no
  /// bounds.
  let interval: Interval?
  /// How many rounds have samples, in the run that has fewer.
  let rounds: Int

  /// The most figures for an interval; with more rounds, neighbouring ones are combined.
  private static let mostBlocks = 60

  /// Estimates from the rounds of each run.
  ///
  /// - Throws: `RatioUnknown` where there is no ratio.
  init(of second: [[Double]], over first: [[Double]], confidence: Double) throws(RatioUnknown) {
    let first = first.filter { !$0.isEmpty }
    let second = second.filter { !$0.isEmpty }
    let known = try RatioUnknown.ratio(of: second.flatMap { $0 }.median, over: first.flatMap { $0 }.median)
    (self.second, self.first, ratio) = known
    rounds = min(first.count, second.count)
    interval = Self.interval(Self.blocks(second), over: Self.blocks(first), confidence: confidence)
      .map { Interval(min($0.lower, known.ratio), max($0.upper, known.ratio)) }
  }

  /// The interval of the ratio of two independent sets of costs.
  private static func interval(
    _ second: [Double], over first: [Double], confidence: Double
  ) -> Interval? {
    guard
      let outside = RankSum(first: first.count, second: second.count).pairsOutside(confidence: confidence)
    else { return nil }
    // A cost that noise put at or below zero may be arbitrarily small; the ratio of two such costs could be anything.
    var (low, high): ([Double], [Double]) = ([], [])
    for below in first {
      for above in second {
        low.append(above <= 0 ? 0 : below <= 0 ? .infinity : above / below)
        high.append(below <= 0 ? .infinity : above <= 0 ? 0 : above / below)
      }
    }
    low.sort()
    high.sort()
    let bounds = (low[outside], high[high.count - 1 - outside])
    return bounds.0 > 0 && bounds.1.isFinite ? Interval(bounds.0, bounds.1) : nil
  }

  /// The median of each round, or of each group of neighbouring rounds.
  private static func blocks(_ rounds: [[Double]]) -> [Double] {
    let count = min(rounds.count, mostBlocks)
    return (0..<count).compactMap { block in
      rounds[block * rounds.count / count..<(block + 1) * rounds.count / count].flatMap { $0 }.median
    }
  }
}
