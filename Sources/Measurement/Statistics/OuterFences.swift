// What lies far outside of a set of samples.
// Facts: Tukey's outer fences stand three interquartile ranges beyond the quartiles ("Exploratory Data Analysis", 1977,
// 2D).

/// Tukey's outer fences.
enum OuterFences {
  /// The fences of samples in rank order, of which there must be one; nothing lies outside where they cannot be told.
  static func around(_ sorted: [Double]) -> ClosedRange<Double> {
    let lower = sorted[sorted.count / 4]
    let upper = sorted[sorted.count - 1 - sorted.count / 4]
    let reach = 3 * (upper - lower)
    guard reach.isFinite, lower.isFinite, upper.isFinite else { return -.infinity ... .infinity }
    return (lower - reach)...(upper + reach)
  }
}
