// Which samples at the start of a round are warm-up: found by a rule, never by hand.

/// The rule that finds the warm-up of a round.
public enum WarmUp {
  /// How many samples at the start of a round are warm-up.
  public static func length(_ samples: [Double]) -> Int { 0 }
}
