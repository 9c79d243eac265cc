// A benchmark on this host can be trusted: it finds no difference where there is none, and a known one as large as it
// is. Nothing here is about absolute times: whatever else the machine does hits all cells of a round alike.

import GuestImages
import Measurement
import Registers
import Testing
import TestSupport

@testable import Experiments

extension BenchesInTurn {
  @Suite("A benchmark can be trusted")
  struct TrustTests {
    @Test("A/A: of 100 comparisons of emulate with itself no more differ than 95 % intervals allow")
    func equalCells() throws {
      // Each block of five rounds of each pair of cells is a comparison; each iteration is a write that the policy
      // traps.
      let (pairs, blocks, size) = (4, 25, RatioEstimate.fewestRounds)
      var options = BenchOptions()
      options.rounds = blocks * size
      options.spread = .zero
      options.seed = 18
      let report = try Bench.report(of: (0..<2 * pairs).map { ("cell \($0)", Workload(.wrmsr)) }, options)
      #expect(report.cells.allSatisfy { $0.isMeasured && $0.rounds.count == blocks * size && $0.vmmExitsPerEntry == 1 })
      var (different, compared) = (0, 0)
      for pair in 0..<pairs {
        for block in 0..<blocks {
          func rounds(_ cell: Int) -> [[Double]] {
            Array(report.cells[2 * pair + cell].settledRounds[block * size..<(block + 1) * size])
          }
          // Where noise leaves no ratio (the divisor may be zero), nothing is called different.
          let estimate = try? RatioEstimate(
            of: rounds(0), over: rounds(1), replicates: 300, generator: SeededGenerator(seed: UInt64(compared)))
          compared += 1
          different += estimate?.differs == true ? 1 : 0
        }
      }
      #expect(compared == 100)
      #expect(
        different <= Binomial.bound(trials: compared, share: 0.05), "\(different) of \(compared) are called different")
    }

    @Test("The bound is the binomial distribution's")
    func bounds() {
      // Of 2 trials at one half: 2 hits in a quarter of all cases. Of 100 at 5 %: more than 15 in fewer than 1 in
      // 10000.
      #expect(Binomial.bound(trials: 2, share: 0.5) == 2)
      #expect(Binomial.bound(trials: 100, share: 0.05) == 15)
      #expect(Binomial.bound(trials: 20, share: 0.05) == 6)
    }

    @Test("A known delay is found, and twice the delay is twice as long")
    func knownDelay() throws {
      // All have some instructions, so that what overlaps with the loop around them is in each; and so many that the
      // difference is large beside what the way through user space varies by.
      let counts = [1000, 3000, 5000]
      // On a busy machine the interval may say nothing; then it is measured for longer. What it says is never asked
      // twice.
      for seconds in [3, 6, 12, 24, 48] {
        let report = try Bench.report(of: counts.map { ("delay \($0)", .delay($0)) }, for: .seconds(seconds))
        let cells = counts.compactMap { report.cell("delay \($0)") }
        try #require(cells.count == counts.count && cells.allSatisfy { $0.isMeasured })
        let once = try #require(report.estimates.difference(cells[1].record, minus: cells[0].record)).interval
        let twice = try #require(report.estimates.difference(cells[2].record, minus: cells[0].record)).interval
        guard once.lower > 0, twice.lower > 0 else { continue }
        let ratio = twice.lower / once.upper...twice.upper / once.lower
        guard ratio.upperBound - ratio.lowerBound < 1 else { continue }
        // A tenth for what processors do with long stretches of code.
        #expect(ratio.overlaps(1.9...2.1), "\(ratio)")
        let medians = cells.compactMap { $0.summary?.median }
        #expect(medians[0] < medians[1] && medians[1] < medians[2], "longer is longer")
        return
      }
      Issue.record("in 93 s the delay was not known well enough to say anything")
    }
  }
}
