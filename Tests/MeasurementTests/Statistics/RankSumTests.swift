import TestSupport
import Testing

@testable import Measurement

/// The interval of the rank sum, which assumes no distribution.
struct RankSumTests {
  @Test(
    "The pairs left out agree with the printed tables of the Mann-Whitney test, two-sided at 5 %",
    arguments: [(4, 4, 0), (5, 5, 2), (6, 6, 5), (8, 8, 13), (10, 10, 23), (12, 12, 37), (20, 20, 127), (5, 10, 8)])
  func tables(first: Int, second: Int, printed: Int) {
    #expect(RankSum(first: first, second: second).pairsOutside(confidence: 0.95) == printed)
    #expect(RankSum(first: second, second: first).pairsOutside(confidence: 0.95) == printed)
  }

  @Test("Too few figures have no interval, and the fewest that have one are known")
  func fewest() {
    #expect(RankSum(first: 3, second: 3).pairsOutside(confidence: 0.95) == nil)
    #expect(RankSum(first: 0, second: 9).pairsOutside(confidence: 0.95) == nil)
    for cells in [1, 6, 23, 64, 320, 100_000] {
      let confidence = 1 - 0.05 / Double(cells)
      let count = RankSum.fewest(confidence: confidence)
      #expect(RankSum(first: count, second: count).pairsOutside(confidence: confidence) != nil)
      #expect(RankSum(first: count - 1, second: count - 1).pairsOutside(confidence: confidence) == nil)
    }
  }

  private func ratio(_ second: [[Double]], over first: [[Double]], confidence: Double = 0.95) throws -> RunRatio {
    try RunRatio(of: second, over: first, confidence: confidence)
  }

  @Test(
    "The interval holds the true ratio of two runs in 95 of 100 cases, as far as 100 can tell", arguments: [5, 12, 70])
  func coverage(rounds: Int) throws {
    var noise = SimulatedNoise(seed: 1945)
    noise.roundCount = rounds
    noise.samplesPerRound = 6
    let missed = try (0..<100).count { _ in
      let found = try ratio(noise.pair(factor: 1.4).cell, over: noise.pair(factor: 1.4).baseline)
      return try !#require(found.interval).contains(1.4)
    }
    #expect(missed <= Binomial.bound(trials: 100, share: 0.05))
  }

  @Test("One disturbed round of many moves no bound far")
  func robust() throws {
    let first = (0..<12).map { [1000 + Double($0)] }
    var second = first
    second[5] = [9000]
    let interval = try #require(try ratio(second, over: first).interval)
    #expect(interval.contains(1) && interval.upper < 1.02)
  }

  @Test("A round whose cost noise puts below zero widens the interval, or leaves it without bounds")
  func belowZero() throws {
    let first = (0..<12).map { [1000 + Double($0)] }
    var second = first
    second[0] = [-50]
    let one = try #require(try ratio(second, over: first).interval)
    #expect(one.lower > 0.98)
    for index in 0..<5 { second[index] = [-50] }
    #expect(try ratio(second, over: first).interval == nil)
  }
}
