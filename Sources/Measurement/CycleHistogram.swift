// An HDR histogram of durations, which keeps every value to three digits in constant memory.

import Histogram

/// A histogram of durations in cycles.
public struct CycleHistogram: Sendable {
  // 2^36 cycles are 17 s at 4 GHz; longer ones widen the histogram.
  private var histogram = Histogram<UInt32>(
    lowestDiscernibleValue: 1, highestTrackableValue: 1 << 36, numberOfSignificantValueDigits: .three)

  /// An empty histogram.
  public init() { histogram.autoResize = true }

  /// Records one duration.
  public mutating func record(_ cycles: UInt64) { _ = histogram.record(min(cycles, UInt64(Int64.max))) }

  /// The percentiles; nil when it is empty.
  public var summary: CycleSummary? {
    guard histogram.totalCount > 0 else { return nil }
    return CycleSummary(
      count: histogram.totalCount, minimum: histogram.min, p50: histogram.valueAtPercentile(50),
      p90: histogram.valueAtPercentile(90), p99: histogram.valueAtPercentile(99), maximum: histogram.max)
  }
}

/// The percentiles of a histogram, in cycles, each exact to three digits.
public struct CycleSummary: Codable, Equatable, Sendable {
  public let count: UInt64
  public let minimum: UInt64
  public let p50: UInt64
  public let p90: UInt64
  public let p99: UInt64
  public let maximum: UInt64
}
