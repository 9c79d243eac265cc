// What lies far outside of a set of samples.
// Facts: Tukey's outer fences stand three interquartile ranges beyond the quartiles ("Exploratory Data Analysis", 1977, 2D).

/// Tukey's outer fences.
enum OuterFences {
  /// The fences of samples in rank order, of which there must be one.
  static func around(_ sorted: [Double]) -> ClosedRange<Double> {
    let lower = sorted[sorted.count / 4]
    let upper = sorted[sorted.count - 1 - sorted.count / 4]
    let reach = 3 * (upper - lower)
    return (lower - reach)...(upper + reach)
  }
}
