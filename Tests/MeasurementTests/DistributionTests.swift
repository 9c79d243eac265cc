// Order statistics, and an interval for the median that holds what it promises.

import Glibc
import TestSupport
import Testing

@testable import Measurement

@Suite("A distribution")
struct DistributionTests {
  @Test("of no samples is none")
  func none() { #expect(Distribution([]) == nil) }

  @Test("of one sample is that sample, with no interval")
  func one() throws {
    let distribution = try #require(Distribution([7]))
    #expect(distribution.count == 1)
    #expect(
      [distribution.minimum, distribution.median, distribution.p90, distribution.p99, distribution.maximum]
        == [7, 7, 7, 7, 7])
    #expect(distribution.medianInterval95 == nil)
  }

  @Test("of an even number of samples has the mean of the two in the middle as its median")
  func two() throws {
    let distribution = try #require(Distribution([4, 1]))
    #expect((distribution.minimum, distribution.median, distribution.maximum) == (1, 2.5, 4))
    #expect((distribution.p90, distribution.p99) == (4, 4))
  }

  @Test("has an interval for its median from 6 samples on: fewer cannot promise 95 %")
  func smallest() throws {
    // Both extremes on the same side of the median: 2 / 32 for 5 samples, 2 / 64 for 6.
    #expect(try #require(Distribution([5, 4, 3, 2, 1])).medianInterval95 == nil)
    #expect(try #require(Distribution([6, 5, 4, 3, 2, 1])).medianInterval95 == Interval(1, 6))
  }

  @Test("counts the samples beyond three interquartile ranges from the quartiles, and has them in its mean")
  func outliers() throws {
    // Quartiles 2 and 6: the fences stand at -10 and 18, and a sample on a fence is none.
    #expect(try #require(Distribution([1, 2, 3, 4, 5, 6, 18])).outliers == 0)
    let distribution = try #require(Distribution([-11, 2, 3, 4, 5, 6, 18.5]))
    #expect(distribution.outliers == 2 && distribution.mean == 27.5 / 7)
    #expect(try #require(Distribution([7])).outliers == 0)
    #expect(try #require(Distribution([5, 5, 5, 5, 5, 6])).outliers == 1)
  }

  @Test("is the same in whatever order its samples come")
  func order() {
    var generator = SeededGenerator(seed: 1)
    let samples = (0..<100).map { Double($0 * $0) }
    let sorted = Distribution(samples)
    for _ in 0..<10 { #expect(Distribution(samples.shuffled(using: &generator)) == sorted) }
  }

  @Test(
    "has quantiles that are samples: the smallest that so large a share does not exceed",
    arguments: [(1, 1, 1), (9, 9, 9), (10, 9, 10), (11, 10, 11), (100, 90, 99), (101, 91, 100), (1000, 900, 990)])
  func quantiles(count: Int, p90: Double, p99: Double) throws {
    let distribution = try #require(Distribution((1...count).map(Double.init)))
    #expect((distribution.p90, distribution.p99) == (p90, p99))
    #expect(distribution.minimum <= distribution.median && distribution.median <= distribution.p90)
    #expect(distribution.maximum == Double(count))
  }

  @Test("has the narrowest symmetric interval that 95 % allows, by exact binomial sums")
  func exactRanks() {
    // A row of Pascal's triangle; P(X <= k) = (row[0] + ... + row[k]) / 2^count, compared in whole numbers with 1/40.
    var row: [UInt128] = [1]
    for count in 1...120 {
      row = zip([0] + row, row + [0]).map(+)
      var sum: UInt128 = 0
      var exact: Int?
      for (k, ways) in row.enumerated() {
        sum += ways
        guard 40 * sum <= 1 << UInt128(count) else { break }
        exact = k
      }
      #expect(OrderStatistics.rank(count: count, confidence: 0.95) == exact, "\(count) samples")
    }
  }

  @Test(
    "has an interval as wide as the normal approximation says, for many samples", arguments: [1000, 30_000, 1_000_000])
  func largeRanks(count: Int) throws {
    let rank = Double(try #require(OrderStatistics.rank(count: count, confidence: 0.95)))
    #expect(abs(rank - (Double(count) / 2 - 1.96 * sqrt(Double(count)) / 2)) < 3)
  }

  @Test("has an interval that holds the true median in 95 % of all cases, however skewed the samples are")
  func coverage() throws {
    var generator = SeededGenerator(seed: 2018)
    // Exponential, so the median is ln 2. For 20 samples the promise is 95.9 %, for 50 it is 96.7 %.
    for count in [20, 50] {
      let trials = 4000
      var held = 0
      for _ in 0..<trials {
        let samples = (0..<count).map { _ in -log(1 - Double.random(in: 0..<1, using: &generator)) }
        let interval = try #require(Distribution(samples)?.medianInterval95)
        if interval.contains(M_LN2) { held += 1 }
      }
      let share = Double(held) / Double(trials)
      #expect((0.95...0.98).contains(share), "\(count) samples: held in \(share) of \(trials) trials")
    }
  }
}
