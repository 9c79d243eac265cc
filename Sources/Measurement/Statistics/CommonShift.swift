// The shift that the cells of two runs have in common.
//
// A run is at another moment than the one before, and a moment slows all cells down. The rounds of a run cannot show
// that: they are all of its own moments. What the cells have in common can: one cell's shift is the median of the other
// cells' ratios, on a logarithmic scale, because a moment multiplies. It is not taken out of a ratio, because a program
// that became slower everywhere looks the same; an interval is made to hold the ratio both with the shift and without.
//
// A cell's own ratio is left out of its shift, so that it cannot excuse itself, be there only two cells. The median is
// moved little by cells that changed as long as they are fewer than half. Its standard error is that of a median of
// normal figures, from their median absolute deviation.

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

  /// The interval of the ratio at this place, widened as far as what the other cells have in common may move it; nil
  /// where it has no bounds then.
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
