import Glibc
import Measurement
import TestSupport
import Testing

/// A comparison can be trusted.
struct RatioEstimateTests {
  private func estimate(_ pair: (cell: [[Double]], baseline: [[Double]]), seed: UInt64 = 1) -> RatioEstimate? {
    try? RatioEstimate(of: pair.cell, over: pair.baseline, replicates: 300, generator: SeededGenerator(seed: seed))
  }

  @Test("A/A: of 100 comparisons of equal cells no more differ than 95 % intervals allow", arguments: [5, 12])
  func equalCellsDoNotDiffer(rounds: Int) throws {
    var noise = SimulatedNoise(seed: 2018)
    noise.roundCount = rounds
    var different = 0
    for seed in 0..<100 where try #require(estimate(noise.pair(factor: 1), seed: UInt64(seed))).differs {
      different += 1
    }
    // Binomial with 100 trials at 5 %: more than 13 have a probability below 0.001.
    #expect(different <= 13)
  }

  @Test("The stricter the confidence, the more rounds it needs: the extremes of fewer cannot hold so much")
  func roundsForConfidence() {
    let fewest = [0.5, 0.95, 0.975, 0.9875, 0.99, 0.999].map(RatioEstimate.fewestRounds(confidence:))
    #expect(fewest == [5, 5, 7, 8, 8, 11])
    for confidence in [0.96, 0.975, 0.9875, 0.99, 0.999] {
      let rounds = Double(RatioEstimate.fewestRounds(confidence: confidence))
      #expect(1 - exp2(1 - rounds) >= confidence && 1 - exp2(2 - rounds) < confidence)
    }
  }

  @Test("A/A: at 98.75 %, after the fewest rounds for it, no more equal cells differ than that allows")
  func equalCellsDoNotDifferAtShares() throws {
    let rounds = RatioEstimate.fewestRounds(confidence: 0.9875)
    #expect(try strictComparisons(rounds: rounds).count(where: \.differs) <= Self.strictBound)
  }

  @Test("After fewer rounds than the confidence needs, nothing is said to differ, however far apart it is")
  func fewerRoundsAreNotTakenAtTheirWord() throws {
    let found = try strictComparisons(rounds: 5, factor: 3)
    #expect(found.contains { !$0.interval.contains(1) })
    #expect(!found.contains { $0.differs })
    #expect(try strictComparisons(rounds: 12, factor: 3).contains { $0.differs })
  }

  @Test("More confidence is a wider interval, also where its tail is thinner than one replicate")
  func stricterIsWider() throws {
    var noise = SimulatedNoise(seed: 1876)
    noise.roundCount = 12
    for seed in 0..<20 as Range<UInt64> {
      let (cell, baseline) = noise.pair(factor: 1)
      let widths = try [0.95, 0.999, 0.9999, 0.99999].map {
        try RatioEstimate(
          of: cell, over: baseline, confidence: $0, replicates: 300, generator: SeededGenerator(seed: seed)
        ).relativeWidth
      }
      #expect(zip(widths, widths.dropFirst()).allSatisfy(<), "\(widths)")
    }
  }

  /// How many of 400 intervals at 98.75 % may leave out the truth by chance.
  private static let strictBound = Binomial.bound(trials: 400, share: 0.0125)

  /// Comparisons at 98.75 % of 400 pairs of cells, one of which costs `factor` times the other.
  private func strictComparisons(rounds: Int, factor: Double = 1) throws -> [RatioEstimate] {
    var noise = SimulatedNoise(seed: 1875)
    noise.roundCount = rounds
    return try (0..<400).map { seed in
      let (cell, baseline) = noise.pair(factor: factor)
      return try RatioEstimate(
        of: cell, over: baseline, confidence: 0.9875, replicates: 300, generator: SeededGenerator(seed: UInt64(seed)))
    }
  }

  @Test("An interval of more confidence than its rounds can hold says that nothing differs and nothing is known")
  func tooFewRoundsForConfidence() throws {
    let ten = [[Double]](repeating: [10, 10, 10], count: 7)
    let eleven = [[Double]](repeating: [11, 11, 11], count: 7)
    for (confidence, isEnough) in [(0.95, true), (0.975, true), (0.9875, false)] {
      let found = try RatioEstimate(of: eleven, over: ten, confidence: confidence, generator: SeededGenerator(seed: 1))
      #expect(found.differs == isEnough && found.reaches(precision: 0.02) == isEnough)
    }
  }

  @Test("The interval holds the true ratio in 95 of 100 cases, as far as 60 can tell")
  func coverage() throws {
    var noise = SimulatedNoise(seed: 216)
    var holds = 0
    for seed in 0..<60 {
      holds += try #require(estimate(noise.pair(factor: 1.4), seed: UInt64(seed))).interval.contains(1.4) ? 1 : 0
    }
    // Binomial with 60 trials at 95 %: fewer than 51 have a probability below 0.002.
    #expect(holds >= 51)
  }

  @Test("A difference of 3 % is found, and the interval holds it")
  func findsKnownShift() throws {
    var noise = SimulatedNoise(seed: 48)
    noise.mood = 0.003
    noise.roundCount = 20
    let found = try #require(estimate(noise.pair(factor: 1.03)))
    #expect(found.differs)
    #expect(found.interval.contains(1.03))
    #expect(!found.interval.contains(1))
  }

  @Test("A seed repeats the interval; another seed changes it")
  func seeded() throws {
    var noise = SimulatedNoise(seed: 7)
    let pair = noise.pair(factor: 1.1)
    #expect(estimate(pair, seed: 3) == estimate(pair, seed: 3))
    #expect(estimate(pair, seed: 3) != estimate(pair, seed: 4))
  }

  @Test("Streams of one seed are independent of each other")
  func streams() {
    var one = SeededGenerator(seed: 1, stream: "a")
    var again = SeededGenerator(seed: 1, stream: "a")
    var other = SeededGenerator(seed: 1, stream: "b")
    let first = one.next()
    #expect(first == again.next())
    #expect(first != other.next())
  }

  @Test("SplitMix64 gives its published numbers")
  func splitMix() {
    var generator = SeededGenerator(seed: 1_234_567)
    #expect(generator.next() == 6_457_827_717_110_365_317)
    #expect(generator.next() == 3_203_168_211_198_807_973)
  }

  @Test("Equal samples give an interval without width, and differ only where the cells do")
  func constantCells() throws {
    let ten = [[Double]](repeating: [10, 10, 10], count: 6)
    let eleven = [[Double]](repeating: [11, 11, 11], count: 6)
    let same = try #require(estimate((ten, ten)))
    #expect(same.interval == Interval(1, 1) && !same.differs && same.relativeWidth == 0)
    let slower = try #require(estimate((eleven, ten)))
    #expect(slower.interval == Interval(1.1, 1.1) && slower.differs)
  }

  @Test("One round has an interval, but is not taken at its word")
  func oneRound() throws {
    let found = try #require(estimate(([[20, 21, 22, 20]], [[10, 10, 11, 10]])))
    #expect(found.rounds == 1)
    #expect(!found.differs)
    #expect(!found.reaches(precision: 10))
  }

  @Test("Rounds that lack one of the cells are left out")
  func unpairedRounds() throws {
    let found = try #require(estimate(([[10], [], [30], [10]], [[10], [5], [10]])))
    #expect(found.rounds == 2)
  }

  @Test("Without a round, and where a cost is not above zero, there is no ratio, and the reason is said")
  func degenerate() {
    func unknown(_ cell: [[Double]], _ baseline: [[Double]]) -> RatioUnknown? {
      do throws(RatioUnknown) {
        _ = try RatioEstimate(of: cell, over: baseline, replicates: 300, generator: SeededGenerator(seed: 1))
        return nil
      } catch { return error }
    }
    func rounds(_ value: Double) -> [[Double]] { [[Double]](repeating: [value], count: 6) }
    #expect(unknown([], []) == .noCommonRound)
    #expect(unknown(rounds(1), rounds(0)) == .divisor)
    #expect(unknown(rounds(0), rounds(1)) == .dividend)
    #expect(unknown(rounds(-1), rounds(1)) == .dividend)
    #expect(unknown(rounds(1e300), rounds(1e-300)) == .outOfRange)
    // A bound below zero is no bound of a ratio of costs.
    #expect(unknown([[1], [1], [1], [1], [-1], [-1]], rounds(1)) == .unbounded)
    #expect(unknown(rounds(1), [[1], [1], [1], [1], [-1], [-1]]) == .unbounded)
  }

  @Test("Precision is reached when the interval is narrow enough")
  func precision() throws {
    var noise = SimulatedNoise(seed: 5)
    let wide = try #require(estimate(noise.pair(factor: 1)))
    #expect(wide.reaches(precision: wide.relativeWidth))
    #expect(!wide.reaches(precision: wide.relativeWidth * 0.99))
  }

  @Test("A difference of cells holds the true one")
  func difference() throws {
    var noise = SimulatedNoise(seed: 9)
    let pair = noise.pair(factor: 1.5)
    let found = try #require(
      DifferenceEstimate(
        of: pair.cell, minus: pair.baseline, replicates: 300, generator: SeededGenerator(seed: 1)))
    #expect(found.interval.contains(500))
    #expect(found.interval.contains(found.difference))
  }
}
