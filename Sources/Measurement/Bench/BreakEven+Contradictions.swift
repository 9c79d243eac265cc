// Where the cells themselves contradict the model: it names one policy the cheapest, and another was measured cheaper.

extension BreakEven {
  /// The points at which the policy that the model names was measured dearer than another.
  ///
  /// Only the cheapest other is named. It has to be cheaper by more than a tie, and the interval of the ratio, round by
  /// round, to leave out 1.
  static func contradictions(_ cells: [BenchReport.Cell], _ winners: [Winner], seed: UInt64) -> [Contradiction] {
    var contradictions: [Contradiction] = []
    var seen: Set<Guest> = []
    for cell in cells where seen.insert(cell.guest).inserted {
      let measured = cells.filter { $0.guest == cell.guest }
      let named = winners.last { $0.exits == cell.exitsPerEntry && $0.from <= Double(cell.writesPerEntry) }
      guard let named, let own = measured.first(where: { $0.policy == named.policy }),
        let cheapest = measured.min(by: { $0.summary?.median ?? .infinity < $1.summary?.median ?? .infinity }),
        cheapest.policy != named.policy,
        let estimate = try? RatioEstimate(
          of: own.settledRounds, over: cheapest.settledRounds,
          generator: SeededGenerator(seed: seed, stream: "break-even \(own.id) over \(cheapest.id)")),
        estimate.differs, estimate.ratio > 1 + tie
      else { continue }
      contradictions.append(
        Contradiction(
          exits: cell.exitsPerEntry, writes: cell.writesPerEntry, named: named.policy, cheaper: cheapest.policy,
          ratio: estimate.ratio, interval: [estimate.interval.lowerBound, estimate.interval.upperBound]))
    }
    return contradictions.sorted { ($0.exits, $0.writes) < ($1.exits, $1.writes) }
  }
}
