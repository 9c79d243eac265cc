// The statistics of samples, and an interval for their median.

/// The order statistics of a set of samples.
public struct Distribution: Equatable, Sendable, Codable {
  public let count: Int
  public let minimum: Double
  public let median: Double
  public let p90: Double
  public let p99: Double
  public let maximum: Double
  /// The mean, outliers included; nil where it is not above zero, and in older results.
  @Nullable public private(set) var mean: Double?
  /// How many samples lie beyond the outer fences, three interquartile ranges from the quartiles; nil as above.
  @Nullable public private(set) var outliers: Int?
  /// The interval that holds the median with at least 95 % confidence where samples are independent of each other, nil
  /// for fewer than 6 of them; in a benchmark of enough rounds, the interval from the rounds.
  @Nullable public private(set) var medianInterval95: Interval?

  /// The statistics of these samples, nil when there are none.
  public init?(_ samples: [Double]) {
    guard !samples.isEmpty else { return nil }
    let sorted = samples.sorted()
    count = sorted.count
    minimum = sorted[0]
    maximum = sorted[sorted.count - 1]
    median = sorted.middle ?? sorted[0]
    p90 = Self.quantile(0.9, sorted)
    p99 = Self.quantile(0.99, sorted)
    let mean = sorted.reduce(0, +) / Double(sorted.count)
    self.mean = mean.isCost ? mean : nil
    let fences = OuterFences.around(sorted)
    outliers = sorted.count { !fences.contains($0) }
    medianInterval95 = OrderStatistics(samples)?.medianInterval()
  }

  /// The statistics of samples that were taken in rounds, nil when there are none; they are what something costs.
  ///
  /// Samples of a round resemble each other: where there are rounds enough, the median's interval is drawn from those.
  /// No cost is below zero, and neither is the interval.
  init?(rounds: [[Double]], isExact: Bool, generator: SeededGenerator) {
    guard var statistics = Self(rounds.flatMap { $0 }) else { return nil }
    var generator = generator
    let rounds = rounds.filter { !$0.isEmpty }
    let bootstrap =
      rounds.count < RatioEstimate.fewestRounds
      ? nil : MedianBootstrap(rounds, rounds, replicates: 1000, isExact: isExact, generator: &generator)
    let interval =
      bootstrap?.interval(confidence: 0.95, of: .cost) { median, _ in median } ?? statistics.medianInterval95
    statistics.medianInterval95 = interval.flatMap { $0.upper > 0 ? Interval(max(0, $0.lower), $0.upper) : nil }
    self = statistics
  }

  /// The smallest sample that at least this share of the samples does not exceed.
  private static func quantile(_ share: Double, _ sorted: [Double]) -> Double {
    sorted[max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
  }
}
