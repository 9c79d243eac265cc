// The same cell in one process after the other: what differs from process to process (where memory lies, say) is within
// the intervals.

import FoundationEssentials
import TestSupport
import Testing

/// The tests that measure with the program, one after the other: `scripts/test` runs them by themselves.
@Suite("Benchmarks of the program in turn", .needsKVM, .serialized)
enum BenchesInTurn {}

extension BenchesInTurn {
  @Suite("A cell repeated in another process")
  struct RepetitionTests {
    private static let cell = "out/none/emulate"
    private static let pairs = 8

    /// Pairs of results, each of a process of its own, one after the other.
    private static let results = Result {
      try (0..<pairs).map { pair in (try measured(seed: 2 * pair), try measured(seed: 2 * pair + 1)) }
    }

    private static func measured(seed: Int) throws -> TemporaryFile {
      let file = try TemporaryFile()
      let outcome = try Spectrap.run(
        "bench", "--rounds", "5", "--spread", "0", "--seed", "\(seed)", "--workload", "out", "--policy", "emulate",
        "--entry", "none", "--json", file.path)
      guard outcome.status == 0 else { throw ChildError(description: "no benchmark: \(outcome.errors)") }
      return file
    }

    /// Whether `compare` calls the cell different.
    private func differs(_ first: TemporaryFile, _ second: TemporaryFile) throws -> Bool {
      let outcome = try Spectrap.run("compare", first.path, second.path, "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let cells = try JSONValue(parsing: outcome.output)["cells"]?.elements ?? []
      let cell = try #require(cells.first { $0["cell"] == .string(Self.cell) })
      return cell["differs"] == .bool(true)
    }

    // Noise makes intervals wide and nothing different; a difference from process to process would be in most pairs.
    @Test("agrees within the intervals")
    func agrees() throws {
      let different = try Self.results.get().count { try differs($0, $1) }
      #expect(
        different <= Binomial.bound(trials: Self.pairs, share: 0.05), "\(different) of \(Self.pairs) pairs of processes"
      )
    }

    @Test("would not agree if it cost ten times as much there")
    func disagrees() throws {
      let different = try Self.results.get().count { first, second in
        try differs(first, try BenchResult.copy(of: second) { $0.scaleCell(Self.cell, by: 10) })
      }
      #expect(different > Binomial.bound(trials: Self.pairs, share: 0.05))
    }
  }
}
