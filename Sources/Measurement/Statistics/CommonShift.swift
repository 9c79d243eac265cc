// The shift that the cells of two runs have in common.
//
// Two runs measure different moments of a machine, and a bad moment slows all cells down. The rounds of one run cannot
// show that, because they are all from that run's moments. The cells together can: the shift for a cell is the median
// of the other cells' ratios, on a logarithmic scale, because a moment multiplies costs. Ratios are not corrected by
// the shift, because a program that became slower everywhere looks the same. Instead, an interval is widened to hold
// the ratio both with the shift and without.
//
// A cell's own ratio is left out of its shift, so that a change of the cell does not excuse itself, even with only two
// cells. Cells that changed move the median little as long as they are fewer than half. Its standard error is that of a
// median of normal figures, from their median absolute deviation.

import Glibc

/// The common shift of several cells' ratios.
struct CommonShift {
  /// The cells' ratios, as logarithms.
  private let logarithms: [Double]

  /// How many standard errors of the median count as possible.
  private static let errors = 2.0
  /// The standard error of a median, over that of a mean, of normal figures.
  private static let medianOverMean = 1.2533

  /// The shift of cells with these ratios, which are above zero.
  init(_ ratios: [Double]) { logarithms = ratios.map { log($0) } }

  /// The factor by which the cells together became slower; nil for one cell alone.
  var factor: Double? {
    logarithms.count < 2 ? nil : logarithms.median.map { min(exp($0), .greatestFiniteMagnitude) }
  }

  /// The interval of the ratio at this index, widened by the common shift of the other cells; nil if that leaves it
  /// without bounds.
  func allowed(_ interval: Interval, at index: Int) -> Interval? {
    var others = logarithms
    others.remove(at: index)
    guard let statistics = OrderStatistics(others) else { return interval }
    let error = Self.errors * Self.medianOverMean * statistics.spread / Double(others.count).squareRoot()
    let low = min(interval.lower, interval.lower / exp(statistics.median + error))
    let high = max(interval.upper, interval.upper / exp(statistics.median - error))
    return low > 0 && high.isFinite ? Interval(low, high) : nil
  }
}
