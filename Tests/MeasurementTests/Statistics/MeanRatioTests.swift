import TestSupport
import Testing

@testable import Measurement

/// Means tell what medians drop, and their intervals how far they can be relied on.
struct MeanRatioTests {
  private func estimate(_ cell: [[Double]], over baseline: [[Double]], seed: UInt64 = 1) -> MeanRatio? {
    MeanRatio(of: cell, over: baseline, replicates: 300, generator: SeededGenerator(seed: seed))
  }

  @Test("The interval holds the true ratio of means in 95 of 100 cases, as far as 200 can tell")
  func coverage() throws {
    var noise = SimulatedNoise(seed: 190)
    var missed = 0
    for seed in 0..<200 {
      let (cell, baseline) = noise.pair(factor: 1.4)
      let found = try #require(estimate(cell, over: baseline, seed: UInt64(seed)))
      #expect(found.interval.contains(found.ratio))
      missed += found.interval.contains(1.4) ? 0 : 1
    }
    #expect(missed <= Binomial.bound(trials: 200, share: 0.05))
  }

  @Test("A turn that a median drops is in the mean")
  func turns() throws {
    let alone = [[Double]](repeating: [100, 100, 100, 100], count: 6)
    let beside = [[Double]](repeating: [100, 100, 100, 500], count: 6)
    let found = try #require(estimate(beside, over: alone))
    #expect(found.ratio == 2 && found.interval == Interval(2, 2))
    let median = try RatioEstimate(of: beside, over: alone, generator: SeededGenerator(seed: 1))
    #expect(median.ratio == 1)
  }

  @Test("Where the run changes from one stretch to the next the interval is wider, unless the clock is exact")
  func stretches() throws {
    let steady = [[Double]](repeating: [100, 101], count: 16)
    let mixed = (0..<16).map { [$0.isMultiple(of: 2) ? 200.0 : 220, 201] }
    let sorted = mixed.sorted { $0[0] < $1[0] }
    let (apart, together) = (try #require(estimate(mixed, over: steady)), try #require(estimate(sorted, over: steady)))
    #expect(apart.ratio == together.ratio && together.interval.width > 1.2 * apart.interval.width)
    let exact = try #require(
      MeanRatio(
        of: sorted, over: steady, replicates: 300, isExact: true, generator: SeededGenerator(seed: 1)))
    #expect(exact.interval.width < together.interval.width)
  }

  @Test("After too few rounds, and over a mean that may be zero, nothing is known")
  func unknown() {
    let ten = [[Double]](repeating: [10], count: 6)
    #expect(estimate(Array(ten.prefix(4)), over: ten) == nil)
    #expect(estimate(ten, over: [[10], [-10], [10], [-10], [10], [10]]) == nil)
    #expect(estimate([[10], [-10], [10], [-10], [10], [10]], over: ten) == nil)
    #expect(estimate(ten, over: [[], [], [10], [10], [10], [10]]) == nil)
    #expect(estimate([], over: []) == nil)
  }
}
