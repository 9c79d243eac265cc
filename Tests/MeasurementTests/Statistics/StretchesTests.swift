import TestSupport
import Testing

@testable import Measurement

/// Intervals hold what a cell costs in the long run, although the machine is in one of two states for several rounds.
struct StretchesTests {
  /// A machine that slows everything down by a tenth at times, for several rounds on end.
  private struct Machine {
    var noise: SimulatedNoise
    var rounds = 10
    /// How likely the state changes before a round.
    var change = 0.25
    /// What a cell's round has of its own, as a share of its cost.
    var mood = 0.03

    init(seed: UInt64) { noise = SimulatedNoise(seed: seed) }

    /// One run of two cells, of 3000 and of 1000 cycles: eight samples a round, some of them far too long.
    mutating func run() -> (cell: [[Double]], baseline: [[Double]]) {
      var isSlow = noise.uniform() < 0.5
      var run: (cell: [[Double]], baseline: [[Double]]) = ([], [])
      for _ in 0..<rounds {
        if noise.uniform() < change { isSlow.toggle() }
        let level = isSlow ? 1.1 : 1
        run.cell.append(round(3000 * level))
        run.baseline.append(round(1000 * level))
      }
      return run
    }

    private mutating func round(_ cost: Double) -> [Double] {
      let own = cost * (1 + mood * noise.normal())
      return (0..<8).map { _ in
        own * (1 + 0.01 * noise.normal() + (noise.uniform() < 0.05 ? 2 * noise.uniform() : 0))
      }
    }
  }

  /// The intervals of one run.
  private struct Intervals {
    let cost: Interval
    let difference: Interval
    let ratio: Interval

    init(_ run: (cell: [[Double]], baseline: [[Double]]), isExact: Bool, seed: Int) throws {
      let generator = SeededGenerator(seed: UInt64(seed))
      cost = try #require(
        Distribution(rounds: run.cell, isExact: isExact, generator: generator)?.medianInterval95)
      difference = try #require(
        DifferenceEstimate(
          of: run.cell, minus: run.baseline, replicates: 200, isExact: isExact, generator: generator)
      ).interval
      ratio = try RatioEstimate(
        of: run.cell, over: run.baseline, replicates: 200, isExact: isExact, generator: generator
      ).interval
    }
  }

  private static let runs = 100

  /// How many of some runs have intervals that hold the median of all runs' figures.
  private func held(_ machine: Machine, isExact: Bool = false) throws -> (cost: Int, difference: Int, ratio: Int) {
    var machine = machine
    let runs = (0..<Self.runs).map { _ in machine.run() }
    let intervals = try runs.enumerated().map { try Intervals($1, isExact: isExact, seed: $0) }
    let medians = runs.map {
      (cell: $0.cell.flatMap { $0 }.median ?? 0, baseline: $0.baseline.flatMap { $0 }.median ?? 0)
    }
    func truth(_ figure: ((cell: Double, baseline: Double)) -> Double) throws -> Double {
      try #require(medians.map(figure).median)
    }
    let (cost, difference) = (try truth { $0.cell }, try truth { $0.cell - $0.baseline })
    let ratio = try truth { $0.cell / $0.baseline }
    return (
      intervals.count { $0.cost.contains(cost) }, intervals.count { $0.difference.contains(difference) },
      intervals.count { $0.ratio.contains(ratio) }
    )
  }

  @Test(
    "Of 100 runs on a machine whose state lasts for four rounds, at least 90 hold each figure", arguments: [10, 20])
  func moments(rounds: Int) throws {
    var machine = Machine(seed: 1813)
    machine.rounds = rounds
    let held = try held(machine)
    #expect(held.cost >= 90 && held.difference >= 90 && held.ratio >= 90, "\(held)")
  }

  @Test("Rounds drawn as if they were independent of each other hold a cost in fewer than 90")
  func roundsAlone() throws {
    let held = try held(Machine(seed: 1813), isExact: true)
    #expect(held.cost < 90, "\(held)")
  }

  @Test("Five rounds of a machine without states hold each figure, too")
  func fewRounds() throws {
    var machine = Machine(seed: 5)
    (machine.rounds, machine.change) = (5, 0.5)
    let held = try held(machine)
    #expect(held.cost >= 90 && held.difference >= 90 && held.ratio >= 90, "\(held)")
  }

  @Test("The same rounds in another order, with all slow ones at the end, make the intervals of cost and ratio wider")
  func order() throws {
    let fast = [[1000.0, 1001, 1002]]
    let slow = [[1100.0, 1101, 1102]]
    let steady = [[Double]](repeating: [500, 500, 500], count: 16)
    let mixed = (0..<8).flatMap { _ in fast + slow }
    let sorted = mixed.sorted { $0[0] < $1[0] }
    func ratio(_ rounds: [[Double]]) throws -> Interval {
      try RatioEstimate(of: rounds, over: steady, generator: SeededGenerator(seed: 1)).interval
    }
    func cost(_ rounds: [[Double]]) throws -> Interval {
      try #require(
        Distribution(rounds: rounds, isExact: false, generator: SeededGenerator(seed: 1))?.medianInterval95)
    }
    #expect(try ratio(sorted).width > 1.2 * ratio(mixed).width)
    #expect(try cost(sorted).width > cost(mixed).width)
  }

  @Test("The interval of a cost reaches from the lowest moment to the highest, that of a ratio does not")
  func range() throws {
    let levels = [1.0, 1, 1, 1, 1.5, 1, 1, 1, 1, 1]
    let cell = levels.map { [3000 * $0, 3001 * $0] }
    let baseline = levels.map { [1000 * $0, 1001 * $0] }
    let cost = try #require(
      Distribution(rounds: cell, isExact: false, generator: SeededGenerator(seed: 1))?.medianInterval95)
    #expect(cost.upper >= 4500 && cost.lower <= 3001)
    let ratio = try RatioEstimate(of: cell, over: baseline, generator: SeededGenerator(seed: 1)).interval
    #expect(ratio.upper < 3.01 && ratio.lower > 2.99)
  }

  @Test("An exact clock's intervals have no width, and are those of the rounds alone")
  func exact() throws {
    let levels = (0..<10).map { $0 < 9 ? 3000.0 : 3001 }
    let rounds = levels.map { [$0, $0] }
    let cost = try #require(
      Distribution(rounds: rounds, isExact: true, generator: SeededGenerator(seed: 1))?.medianInterval95)
    #expect(cost == Interval(3000, 3000))
    let same = [[Double]](repeating: [7, 7], count: 10)
    for isExact in [true, false] {
      let ratio = try RatioEstimate(
        of: same, over: same, isExact: isExact, generator: SeededGenerator(seed: 1)
      ).interval
      #expect(ratio == Interval(1, 1))
    }
  }

  @Test("A stretch whose cost is not above zero leaves a ratio without bounds, and a cost with finite ones")
  func belowZero() throws {
    let cell = [[Double]](repeating: [-100, -100], count: 3) + [[Double]](repeating: [100, 101], count: 9)
    let baseline = [[Double]](repeating: [50, 50], count: 12)
    #expect(throws: RatioUnknown.unbounded) {
      try RatioEstimate(of: cell, over: baseline, generator: SeededGenerator(seed: 1))
    }
    let huge = (0..<10).map { [$0.isMultiple(of: 2) ? -1.5e308 : 1.5e308] }
    let difference = try #require(
      DifferenceEstimate(
        of: huge, minus: huge.map { $0.map { _ in 0 } }, generator: SeededGenerator(seed: 1)))
    #expect(difference.interval.lower.isFinite && difference.interval.upper.isFinite)
  }
}
