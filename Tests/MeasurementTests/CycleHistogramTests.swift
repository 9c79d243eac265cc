// The histogram of cycles: exact to three digits, whatever is recorded.

import Measurement
import TestSupport
import Testing

@Suite("A histogram of cycles")
struct CycleHistogramTests {
  private func recording(_ values: some Sequence<UInt64>) -> CycleSummary? {
    var histogram = CycleHistogram()
    for value in values { histogram.record(value) }
    return histogram.summary
  }

  /// Whether two values agree to three digits.
  private func agree(_ found: UInt64, _ exact: UInt64) -> Bool {
    abs(Double(found) - Double(exact)) <= Double(exact) / 1000
  }

  @Test("has nothing to say before the first")
  func empty() { #expect(CycleHistogram().summary == nil) }

  @Test("of one value is that value throughout", arguments: [0, 1, 999, 22_345, 7_654_321])
  func one(value: UInt64) throws {
    let summary = try #require(recording([value]))
    #expect(summary.count == 1)
    for found in [summary.minimum, summary.p50, summary.p90, summary.p99, summary.maximum] {
      #expect(agree(found, value))
    }
  }

  @Test("gives the percentiles of what was recorded, to three digits", arguments: [1, 23, 40_000])
  func percentiles(scale: UInt64) throws {
    var generator = SeededGenerator(seed: scale)
    let values = (1...10_000).map { $0 * scale }
    let summary = try #require(recording(values.shuffled(using: &generator)))
    #expect(summary.count == 10_000)
    #expect(agree(summary.minimum, scale))
    #expect(agree(summary.p50, 5000 * scale))
    #expect(agree(summary.p90, 9000 * scale))
    #expect(agree(summary.p99, 9900 * scale))
    #expect(agree(summary.maximum, 10_000 * scale))
  }

  @Test("keeps one slow exit among many apart from the rest")
  func outlier() throws {
    let summary = try #require(recording(Array(repeating: 2000, count: 999) + [5_000_000]))
    #expect(agree(summary.p99, 2000) && agree(summary.maximum, 5_000_000))
  }

  @Test("takes values of any size, hours of cycles included", arguments: [1 << 36, 1 << 50, UInt64(Int64.max), .max])
  func huge(value: UInt64) throws {
    let summary = try #require(recording([1, value]))
    #expect(summary.count == 2 && summary.minimum == 1)
    #expect(agree(summary.maximum, min(value, UInt64(Int64.max))))
  }
}
