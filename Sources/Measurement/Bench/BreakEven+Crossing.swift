// Whether a crossing was measured: a line on which two policies cost the same is drawn by the models, and has to have a
// pair of cells on either side that says the same.

import Registers

extension BreakEven {
  /// Whether of each side of a crossing some guest was measured, under both policies, that is cheaper under the one
  /// that the crossing names for that side.
  ///
  /// Cheaper is what the interval of the ratio says, round by round; where the clock has no noise, the ratio.
  static func isMeasured(_ crossing: Crossing, _ fitted: [Candidate], isExact: Bool, seed: UInt64) -> Bool {
    func cells(_ policy: Known<PolicyName>) -> [BenchReport.Cell] { fitted.first { $0.policy == policy }?.cells ?? [] }
    let pairs = cells(crossing.below).compactMap { below in
      cells(crossing.above).first { $0.guest == below.guest }.map { (below: below, above: $0) }
    }
    func isCheaper(_ one: BenchReport.Cell, _ other: BenchReport.Cell) -> Bool {
      guard
        let ratio = try? RatioEstimate(
          of: other.settledRounds, over: one.settledRounds,
          generator: SeededGenerator(seed: seed, stream: "crossing \(other.id) over \(one.id)"))
      else { return false }
      return isExact ? ratio.ratio > 1 : ratio.differs && ratio.ratio > 1
    }
    func isBelow(_ cell: BenchReport.Cell) -> Bool {
      Double(cell.writesPerEntry) < crossing.atNoExit + crossing.perExit * Double(cell.exitsPerEntry)
    }
    return pairs.contains { isBelow($0.below) && isCheaper($0.below, $0.above) }
      && pairs.contains { !isBelow($0.below) && isCheaper($0.above, $0.below) }
  }
}
