// Which samples at the start of a round are warm-up: found by a rule, never by hand.
//
// The rule: the second half of a round is taken to be settled. Samples at the start are warm-up as long as they lie outside
// Tukey's outer fences of that half, that is more than three interquartile ranges beyond its quartiles ("Exploratory Data
// Analysis", 1977, 2D). The first sample inside ends the warm-up; later outliers are kept. A round that begins as it
// goes on loses nothing, whatever its noise; a cold first sample and a step at the start are both found; no more than half
// of a round is ever discarded.

/// The rule that finds the warm-up of a round.
public enum WarmUp {
  /// The fewest samples for which the rule can tell anything; shorter rounds have no warm-up.
  static let fewestSamples = 8

  /// How many samples at the start of a round are warm-up.
  public static func length(_ samples: [Double]) -> Int {
    guard samples.count >= fewestSamples else { return 0 }
    let half = samples.count / 2
    let settled = samples.suffix(samples.count - half).sorted()
    let lower = settled[settled.count / 4]
    let upper = settled[settled.count - 1 - settled.count / 4]
    let reach = 3 * (upper - lower)
    let fences = (lower - reach)...(upper + reach)
    return samples.prefix(half).prefix { !fences.contains($0) }.count
  }
}
