// The table of docs/measuring.md: how often a comparison of equal results names a cell, and how often it finds one that
// is slower. It takes minutes: SPECTRAP_TRUST=1 swift test --filter GateTrustTests

import Glibc
import Testing

@testable import Measurement

@Suite(
  "What compare can be trusted with",
  .enabled(if: unsafe getenv("SPECTRAP_TRUST") != nil, "prints a table, in minutes, with SPECTRAP_TRUST=1"))
struct GateTrustTests {
  private static let comparisons = 100
  private static let cells = 64

  @Test("stands in the table: equal results name a cell seldom, and none beyond 5 %", arguments: [8, 12, 20, 40])
  func table(rounds: Int) {
    let alike = named(rounds: rounds, moodMemory: 0)
    let drifting = named(rounds: rounds, moodMemory: 0.5)
    let moved = named(rounds: rounds, moodMemory: 0, moment: 0.08)
    var noise = SimulatedNoise(seed: 3000 + UInt64(rounds))
    noise.roundCount = rounds
    let found = (0..<Self.comparisons).count { _ in
      ReportComparison(noise.record(cells: Self.cells), noise.record(cells: Self.cells, slower: 1.1))
        .regressions(threshold: 0.05).contains { $0.cell == "bare/syscall/policy 0" }
    }
    let beyond = alike.beyond + drifting.beyond + moved.beyond
    print(
      "| \(rounds) | \(alike.any) | \(drifting.any) | \(moved.any), else \(moved.without) | \(beyond) | \(found) |")
    #expect(alike.any <= 12 && moved.any <= 12 && beyond == 0)
  }

  /// How many comparisons of equal results name any cell, and any beyond 5 %; and how many would name one without the
  /// allowance for what all have in common.
  private func named(rounds: Int, moodMemory: Double, moment: Double = 0) -> (any: Int, beyond: Int, without: Int) {
    var noise = SimulatedNoise(seed: 2000 + UInt64(rounds))
    (noise.roundCount, noise.moodMemory, noise.moment, noise.sensitivity) = (rounds, moodMemory, moment, 0.2)
    var found = (any: 0, beyond: 0, without: 0)
    for _ in 0..<Self.comparisons {
      let comparison = ReportComparison(noise.record(cells: Self.cells), noise.record(cells: Self.cells))
      if comparison.cells.contains(where: \.differs) { found.any += 1 }
      if comparison.cells.contains(where: \.differs) || !comparison.shifted.isEmpty { found.without += 1 }
      if !comparison.regressions(threshold: 0.05).isEmpty { found.beyond += 1 }
    }
    return found
  }
}
