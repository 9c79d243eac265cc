// How many of some trials may hit by chance.

public enum Binomial {
  /// The number of hits that is passed with a probability below 1 in 10000, where each trial hits with this
  /// probability.
  public static func bound(trials: Int, share: Double) -> Int {
    var term = (0..<trials).reduce(1.0) { product, _ in product * (1 - share) }
    var within = term
    var hits = 0
    while within < 0.9999, hits < trials {
      term *= Double(trials - hits) / Double(hits + 1) * share / (1 - share)
      within += term
      hits += 1
    }
    return hits
  }
}
