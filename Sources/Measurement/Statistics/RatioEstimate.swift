// The ratio of two cells' costs, and when it is known well enough.

import Glibc

/// The ratio of two cells' medians, with an interval from their rounds.
public struct RatioEstimate: Equatable, Sendable {
  /// The fewest rounds for a reliable interval.
  ///
  /// With 1 to 4 rounds it is not known how much rounds differ, and the A/A test calls up to 90 % of equal cells
  /// different.
  public static let fewestRounds = 5

  /// The fewest rounds for a reliable interval of this confidence.
  ///
  /// The extremes of n rounds leave out the median with probability 2^(1 - n). An interval that reaches beyond them
  /// depends on the assumed shape of the tails, not on rounds. At 95 % the A/A test finds that 5 are enough.
  public static func fewestRounds(confidence: Double) -> Int {
    confidence <= 0.95 ? fewestRounds : max(fewestRounds, Int((1 - log2(1 - confidence)).rounded(.up)))
  }

  /// The ratio of the medians.
  public let ratio: Double
  /// The interval that contains it with the requested confidence.
  public let interval: Interval
  /// The confidence that was asked for: 0.95 is 95 %.
  public let confidence: Double
  /// How many rounds hold both cells.
  public let rounds: Int

  init(ratio: Double, interval: Interval, confidence: Double, rounds: Int) {
    self.ratio = ratio
    self.interval = interval
    self.confidence = confidence
    self.rounds = rounds
  }

  /// Estimates from rounds that are paired by index, in the same unit; rounds that lack either cell are left out.
  ///
  /// The same seed gives the same interval.
  ///
  /// - Throws: `RatioUnknown` where no round has both, and where either cost may not be above zero.
  public init(
    of cell: [[Double]], over baseline: [[Double]], confidence: Double = 0.95, replicates: Int = 1000,
    isExact: Bool = false, generator: SeededGenerator
  ) throws(RatioUnknown) {
    var generator = generator
    guard
      let bootstrap = MedianBootstrap(
        cell, baseline, replicates: replicates, isExact: isExact, generator: &generator)
    else { throw .noCommonRound }
    ratio = try RatioUnknown.ratio(of: bootstrap.first, over: bootstrap.second).ratio
    interval = bootstrap.interval(confidence: confidence, of: .ratio) { $1 > 0 ? $0 / $1 : .infinity }
    guard interval.lower > 0, interval.upper.isFinite else { throw .unbounded }
    self.confidence = confidence
    rounds = bootstrap.rounds
  }

  /// Whether there are enough rounds for the confidence that was asked for.
  private var standsOnEnoughRounds: Bool { rounds >= Self.fewestRounds(confidence: confidence) }

  /// Whether the interval leaves out 1 and is based on enough rounds.
  public var differs: Bool { standsOnEnoughRounds && !interval.contains(1) }

  /// The width of the interval as a share of the ratio.
  public var relativeWidth: Double {
    interval.width == 0 ? 0 : interval.width / ratio
  }

  /// Whether the interval, from end to end, is no wider than this share of the ratio, and is based on enough rounds.
  public func reaches(precision: Double) -> Bool { standsOnEnoughRounds && relativeWidth <= precision }
}

/// The difference of two cells' medians, with an interval from their interleaved rounds: a primitive without its loop.
public struct DifferenceEstimate: Equatable, Sendable {
  /// The difference of the medians, in the cells' unit.
  public let difference: Double
  /// The interval that contains it with the requested confidence.
  public let interval: Interval
  /// How many rounds hold both cells.
  public let rounds: Int

  init(difference: Double, interval: Interval, rounds: Int) {
    self.difference = difference
    self.interval = interval
    self.rounds = rounds
  }

  /// Estimates from rounds that are paired by index; nil where no round has both cells.
  public init?(
    of cell: [[Double]], minus baseline: [[Double]], confidence: Double = 0.95, replicates: Int = 1000,
    isExact: Bool = false, generator: SeededGenerator
  ) {
    var generator = generator
    guard
      let bootstrap = MedianBootstrap(
        cell, baseline, replicates: replicates, isExact: isExact, generator: &generator)
    else { return nil }
    difference = bootstrap.first - bootstrap.second
    interval = bootstrap.interval(confidence: confidence, of: .cost) { $0 - $1 }
    rounds = bootstrap.rounds
  }
}
