// Finds samples that lie far outside of the others.
// Facts: Tukey's outer fences are three interquartile ranges beyond the quartiles ("Exploratory Data Analysis", 1977,
// 2D).

/// Tukey's outer fences.
enum OuterFences {
  /// The fences of samples in rank order, of which there must be one; infinite where they are not finite.
  static func around(_ sorted: [Double]) -> ClosedRange<Double> {
    let lower = sorted[sorted.count / 4]
    let upper = sorted[sorted.count - 1 - sorted.count / 4]
    let reach = 3 * (upper - lower)
    guard reach.isFinite, lower.isFinite, upper.isFinite else { return -.infinity ... .infinity }
    return (lower - reach)...(upper + reach)
  }
}
