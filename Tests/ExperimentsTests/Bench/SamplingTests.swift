// From samples to costs: what a known clock makes of known samples.

import Hypervisor
import Measurement
import TestSupport
import Testing

@testable import Experiments
@testable import GuestImages

@Suite("Samples become costs")
struct SamplingTests {
  /// Samples of these iterations and ticks.
  private func samples(_ pairs: [(UInt32, UInt64)]) -> [SampleRecord] {
    pairs.map { SampleRecord(iterations: $0.0, start: 1000, end: 1000 + $0.1) }
  }

  @Test("Where the clock counts time, each pair gives its difference, in which there is no fixed cost")
  func time() {
    let sampling = Sampling(hertz: 1e9)
    #expect(!sampling.countsInstructions && sampling.ticks == 200_000)
    let costs = sampling.costs(of: samples([(10, 350), (20, 650), (10, 351), (20, 661)]), iterations: 10)
    #expect(costs == [30, 31])
  }

  @Test("Where it counts instructions, each sample gives its cost, the known fixed cost taken off")
  func instructions() {
    let sampling = Sampling(hertz: 5e7, of: .instructions(fixedCost: 5))
    #expect(sampling.countsInstructions && sampling.ticks == 10_000)
    #expect(sampling.costs(of: samples([(10, 305), (20, 605)]), iterations: 10) == [30, 30])
  }

  @Test(
    "As many iterations as last long enough, an even number of them unless one is enough",
    arguments: [
      (1000, 200), (1001, 200), (999, 202), (28_000, 8), (199_999, 2), (200_000, 1), (1e9, 1), (0, 200_000),
      (-3, 200_000),
    ] as [(Double, UInt32)])
  func length(cost: Double, iterations: UInt32) {
    #expect(CellMeter.iterations(of: cost, lasting: 200_000) == iterations)
  }

  @Test("No sample has more than a million iterations")
  func longest() { #expect(CellMeter.iterations(of: 1, lasting: .max) == 1 << 20) }

  @Test(
    "There the median is free of interrupts whenever they come, for samples of up to 0.4 of their period",
    arguments: [5000, 20_000, 40_000])
  func interrupts(cost: Int) throws {
    let period = 200_000
    for phase in stride(from: 0, to: period, by: 1111) {
      // Eight pairs, one after the other, on a clock that is interrupted once in each period.
      var (now, next) = (phase, period)
      var records: [(UInt32, UInt64)] = []
      for iterations in (0..<8).flatMap({ _ in [1, 2] }) {
        let start = now
        now += iterations * cost + 5
        while next <= now {
          now += 3000 + next % 700
          next += period
        }
        records.append((UInt32(iterations), UInt64(now - start)))
      }
      let costs = Sampling(hertz: 5e7, of: .instructions(fixedCost: 5)).costs(of: samples(records), iterations: 1)
      #expect(try #require(Distribution(costs)).median == Double(cost), "phase \(phase)")
    }
  }

  @Test("The least of samples is that of the samples of so many iterations")
  func least() {
    let records = samples([(1, 40), (2, 65), (1, 35), (2, 900)])
    #expect(records.least(of: 1) == 35 && records.least(of: 2) == 65)
  }
}
