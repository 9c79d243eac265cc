// Finds the warm-up samples at the start of a round, by a rule.
//
// The rule: the second halves of all rounds of a cell are taken to be settled. Samples at the start of a round are
// warm-up as long as they lie outside the outer fences of the settled ones. The first sample inside ends the warm-up;
// later outliers are kept and counted. A round that begins as the cell goes on loses nothing, whatever its noise; a
// cold first sample and a step at the start are both found; no more than half of a round is ever discarded.

/// The rule that finds the warm-up of a cell's rounds.
public enum WarmUp {
  /// The fewest settled samples from which fences can be built; a cell with fewer has no warm-up.
  static let fewestSettled = 8

  /// How many samples at the start of each round are warm-up.
  public static func lengths(_ rounds: [[Double]]) -> [Int] {
    let settled = rounds.flatMap { $0.suffix($0.count - $0.count / 2) }.sorted()
    guard settled.count >= fewestSettled else { return rounds.map { _ in 0 } }
    let fences = OuterFences.around(settled)
    return rounds.map { round in round.prefix(round.count / 2).prefix { !fences.contains($0) }.count }
  }
}
