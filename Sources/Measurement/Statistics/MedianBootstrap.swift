// The bootstrap of two cells that were measured in rounds.
//
// Method: rounds are drawn with replacement, not samples, since samples of a round resemble each other (the cluster
// bootstrap: Davison and Hinkley, "Bootstrap Methods and their Application", 3.8). A round of interleaved cells holds
// both under the same circumstances; such rounds are drawn in pairs, and drift then moves both medians of a replicate
// alike. If there are too few rounds to tell how rounds differ, the samples of a drawn round are also drawn anew.
// Intervals are percentile intervals, expanded for the number of rounds (Hesterberg, "What Teachers Should Know
// About the Bootstrap", The American Statistician 69, 2015, 5.1): without that the A/A test calls too many equal cells
// different.
//
// The bootstrap takes rounds to be independent of each other, so an interval also reaches as far as stretches of the
// run differ (`Stretches`), unless the clock is exact.

import Glibc

/// Replicates of two medians from rounds.
struct MedianBootstrap {
  /// With fewer rounds than this, samples are drawn within rounds, too.
  static let roundsEnough = 5

  /// The medians of the samples.
  let first: Double
  let second: Double
  /// How many rounds hold both cells.
  let rounds: Int
  /// The medians of each replicate.
  private let replicates: [(first: Double, second: Double)]
  /// Nil where there are too few rounds for them, and where the clock has no noise.
  private let stretches: Stretches?

  /// Draws replicates; nil where a cell has no round, or a sample that is no finite number.
  ///
  /// Rounds belong together by their index, and those that lack a cell are left out. Where the clock is exact, the
  /// moments of a run do not differ.
  init?(
    _ firstRounds: [[Double]], _ secondRounds: [[Double]], replicates count: Int, isExact: Bool,
    generator: inout SeededGenerator
  ) {
    let pairs = zip(firstRounds, secondRounds).filter { !$0.isEmpty && !$1.isEmpty }
      .map { (first: $0, second: $1) }
    var one = RankedSamples(pairs.map(\.first))
    var other = RankedSamples(pairs.map(\.second))
    rounds = pairs.count
    guard rounds > 0, one.isFinite, other.isFinite else { return nil }
    first = one.median
    second = other.median
    let drawSamples = rounds < Self.roundsEnough
    stretches = drawSamples || isExact ? nil : Stretches(pairs)
    replicates = (0..<count).map { _ in
      one.clear()
      other.clear()
      for _ in 0..<one.rounds {
        let round = generator.index(below: one.rounds)
        one.add(round: round, drawing: drawSamples, &generator)
        other.add(round: round, drawing: drawSamples, &generator)
      }
      return (one.drawnMedian, other.drawnMedian)
    }
  }

  /// How the moments of a run affect a figure of two medians.
  enum Kind {
    /// A cost, or a difference of costs: one moment's is higher than another's.
    case cost
    /// A ratio: a moment makes both cells slower, and the ratio hardly changes.
    case ratio
  }

  /// The interval that holds a figure of the two medians with this confidence; the figure is a number of any two
  /// medians.
  func interval(confidence: Double, of kind: Kind, figure: (Double, Double) -> Double) -> Interval {
    let drawn = interval(ofReplicates: figure, confidence: confidence)
    guard let stretches else { return drawn }
    let centre = figure(first, second)
    switch kind {
    case .ratio:
      // Disturbances multiply a ratio, so its logarithm is as far off in either direction.
      let factor = exp(stretches.reach(confidence: confidence) { log(figure($0, $1)) } ?? .infinity)
      return Interval(min(drawn.lower, centre / factor), max(drawn.upper, centre * factor))
    case .cost:
      let reach = stretches.reach(confidence: confidence, of: figure) ?? .infinity
      let range = stretches.range(of: figure) ?? drawn
      return Interval(
        max(-.greatestFiniteMagnitude, min(drawn.lower, centre - reach, range.lower)),
        min(.greatestFiniteMagnitude, max(drawn.upper, centre + reach, range.upper)))
    }
  }

  /// The interval from the replicates alone.
  ///
  /// A tail that is thinner than one replicate lies beyond all of them. Its end is as far beyond the outermost one as
  /// it would be if the tails were the normal distribution's.
  private func interval(ofReplicates figure: (Double, Double) -> Double, confidence: Double) -> Interval {
    let sorted = replicates.map { figure($0.first, $0.second) }.sorted()
    let tail = Self.tail(confidence: confidence, rounds: rounds)
    let last = Double(sorted.count - 1)
    let low = sorted[Int((tail * last).rounded(.down))]
    let high = sorted[Int(((1 - tail) * last).rounded(.up))]
    let finest = 1 / Double(sorted.count)
    guard tail < finest else { return Interval(low, high) }
    let stretch = normalQuantile(of: tail) / normalQuantile(of: finest)
    let centre = figure(first, second)
    // An infinite end stays infinite.
    func stretched(_ end: Double) -> Double {
      guard end.isFinite else { return end }
      // A finite end stays finite.
      let most = Double.greatestFiniteMagnitude
      return max(-most, min(most, centre + stretch * (end - centre)))
    }
    return Interval(min(low, stretched(low)), max(high, stretched(high)))
  }

  /// The share of replicates left out on either side.
  static func tail(confidence: Double, rounds: Int) -> Double {
    // With few rounds, samples are drawn within rounds, too. They are not known to be independent, so the tail is that
    // of the normal distribution, and the second stage of drawing makes up for it.
    guard rounds >= roundsEnough else { return (1 - confidence) / 2 }
    let count = Double(rounds)
    let quantile = StudentT(degreesOfFreedom: rounds - 1).quantile(confidence: confidence)
    return normalProbability(below: -(count / (count - 1)).squareRoot() * quantile)
  }
}

/// Rounds of samples in rank order, and how often each sample was drawn: a median without sorting anew.
private struct RankedSamples {
  private let sorted: [Double]
  /// For each round, the ranks of its samples.
  private let ranks: [[Int]]
  private var draws: [Int]
  private var drawn = 0

  init(_ rounds: [[Double]]) {
    let all = rounds.enumerated().flatMap { index, samples in samples.map { (value: $0, round: index) } }
      .sorted { $0.value < $1.value }
    sorted = all.map(\.value)
    var ranks = [[Int]](repeating: [], count: rounds.count)
    for (rank, sample) in all.enumerated() { ranks[sample.round].append(rank) }
    self.ranks = ranks
    draws = [Int](repeating: 0, count: sorted.count)
  }

  var rounds: Int { ranks.count }

  /// Whether every sample is a finite number.
  var isFinite: Bool { sorted.allSatisfy(\.isFinite) }

  mutating func clear() {
    for rank in draws.indices { draws[rank] = 0 }
    drawn = 0
  }

  mutating func add(round: Int, drawing: Bool, _ generator: inout SeededGenerator) {
    let own = ranks[round]
    if drawing {
      for _ in 0..<own.count { draws[own[generator.index(below: own.count)]] += 1 }
    } else {
      for rank in own { draws[rank] += 1 }
    }
    drawn += own.count
  }

  /// The median of all samples.
  var median: Double { sorted.middle ?? 0 }

  /// The median of the samples drawn.
  var drawnMedian: Double {
    var passed = 0
    var lower: Double?
    for rank in draws.indices where draws[rank] > 0 {
      passed += draws[rank]
      if lower == nil, passed * 2 >= drawn {
        guard passed * 2 == drawn else { return sorted[rank] }
        lower = sorted[rank]
      } else if let lower {
        return midpoint(lower, sorted[rank])
      }
    }
    return lower ?? sorted[sorted.count - 1]
  }
}
