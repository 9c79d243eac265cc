// Comparisons of two cells. The random draws depend only on the benchmark's seed and the two ids, so that other cells
// do not change them.

/// The estimates of one benchmark.
package struct Estimates {
  let seed: UInt64
  /// Whether the clock has no noise.
  let isExact: Bool
  /// What each of a record's rounds stands for.
  var unit = BenchRecord.Unit.rounds

  /// A cell's cost over another's; nil where it is not known.
  package func ratio(_ cell: CellRecord, over baseline: CellRecord) -> RatioEstimate? {
    try? knownRatio(cell, over: baseline)
  }

  /// A cell's cost over another's.
  ///
  /// - Throws: `RatioUnknown` where the samples leave it open.
  func knownRatio(
    _ cell: CellRecord, over baseline: CellRecord, confidence: Double = 0.95
  ) throws(RatioUnknown) -> RatioEstimate {
    guard cell.isMeasured, baseline.isMeasured else { throw .noCommonRound }
    if unit == .hosts { return try RatioEstimate(ofHosts: cell.rounds, over: baseline.rounds, confidence: confidence) }
    return try RatioEstimate(
      of: cell.settledRounds, over: baseline.settledRounds, confidence: confidence, isExact: isExact,
      generator: SeededGenerator(seed: seed, stream: "\(cell.id) over \(baseline.id)"))
  }

  /// A cell's mean over another's; nil where it is not known.
  package func meanRatio(_ cell: CellRecord, over baseline: CellRecord) -> MeanRatio? {
    guard cell.isMeasured, baseline.isMeasured else { return nil }
    return MeanRatio(
      of: cell.settledRounds, over: baseline.settledRounds, isExact: isExact,
      generator: SeededGenerator(seed: seed, stream: "mean of \(cell.id) over \(baseline.id)"))
  }

  /// A cell's cost minus another's, in cycles; nil where no round holds both.
  package func difference(
    _ cell: CellRecord, minus baseline: CellRecord, confidence: Double = 0.95
  ) -> DifferenceEstimate? {
    guard cell.isMeasured, baseline.isMeasured else { return nil }
    if unit == .hosts {
      return DifferenceEstimate(ofHosts: cell.rounds, minus: baseline.rounds, confidence: confidence)
    }
    return DifferenceEstimate(
      of: cell.settledRounds, minus: baseline.settledRounds, confidence: confidence, isExact: isExact,
      generator: SeededGenerator(seed: seed, stream: "\(cell.id) minus \(baseline.id)"))
  }

  /// A cell's own cost, in cycles; nil where it has no round.
  package func cost(_ cell: CellRecord, confidence: Double = 0.95) -> DifferenceEstimate? {
    guard cell.isMeasured else { return nil }
    if unit == .hosts {
      return DifferenceEstimate(
        ofHosts: cell.rounds, minus: cell.rounds.map { $0.map { _ in 0 } }, confidence: confidence)
    }
    return DifferenceEstimate(
      of: cell.settledRounds, minus: cell.settledRounds.map { $0.map { _ in 0 } }, confidence: confidence,
      isExact: isExact,
      generator: SeededGenerator(seed: seed, stream: cell.id))
  }
}
