// From the cells to what they say against each other.

extension BenchReport {
  /// A cell's cost over another's; nil where it is not known.
  public func ratio(_ cell: Cell, over baseline: Cell, confidence: Double = 0.95) -> RatioEstimate? {
    try? knownRatio(cell, over: baseline, confidence: confidence)
  }

  /// A cell's cost over another's.
  ///
  /// What is drawn follows from the report's seed and the two ids, so that other cells change nothing. Throws
  /// `RatioUnknown` where the samples leave it open.
  func knownRatio(
    _ cell: Cell, over baseline: Cell, confidence: Double = 0.95
  ) throws(RatioUnknown) -> RatioEstimate {
    guard cell.isMeasured, baseline.isMeasured else { throw .noCommonRound }
    return try RatioEstimate(
      of: cell.settledRounds, over: baseline.settledRounds, confidence: confidence,
      generator: SeededGenerator(seed: seed, stream: "\(cell.id) over \(baseline.id)"))
  }

  /// A cell's mean over another's; nil where it is not known.
  package func meanRatio(_ cell: Cell, over baseline: Cell) -> MeanRatio? {
    guard cell.isMeasured, baseline.isMeasured else { return nil }
    return MeanRatio(
      of: cell.settledRounds, over: baseline.settledRounds,
      generator: SeededGenerator(seed: seed, stream: "mean of \(cell.id) over \(baseline.id)"))
  }

  /// A cell's cost minus another's, in cycles; nil where no round holds both.
  public func difference(_ cell: Cell, minus baseline: Cell, confidence: Double = 0.95) -> DifferenceEstimate? {
    guard cell.isMeasured, baseline.isMeasured else { return nil }
    return DifferenceEstimate(
      of: cell.settledRounds, minus: baseline.settledRounds, confidence: confidence,
      generator: SeededGenerator(seed: seed, stream: "\(cell.id) minus \(baseline.id)"))
  }

  /// The 95 % interval of a cell's median from its rounds, whose samples resemble each other; nil where the rounds are
  /// too few.
  func medianInterval(of cell: Cell) -> ClosedRange<Double>? {
    let rounds = cell.settledRounds.filter { !$0.isEmpty }
    guard cell.isMeasured, rounds.count >= RatioEstimate.fewestRounds else { return nil }
    var generator = SeededGenerator(seed: seed, stream: cell.id)
    return MedianBootstrap(rounds, rounds, replicates: 1000, generator: &generator)?
      .interval(confidence: 0.95) { median, _ in median }
  }

  /// What is to be known of intervals from too few rounds; nil where there are enough, or the clock has no noise.
  private var lackOfRounds: String? {
    guard environment.countsInstructions != true,
      let rounds = cells.filter(\.isMeasured).map({ $0.settledRounds.count { !$0.isEmpty } }).min(),
      rounds < RatioEstimate.fewestRounds
    else { return nil }
    return "a cell was measured in no more than \(rounds) \(rounds == 1 ? "round" : "rounds"): intervals of fewer than "
      + "\(RatioEstimate.fewestRounds) are not to be relied on"
  }

  /// The measured cells that are divided by a baseline, with that baseline.
  private var divisions: [(cell: Cell, baseline: Cell)] { pairs { $0 == .divide } }

  /// The measured cells whose baseline is for such a use, with that baseline.
  private func pairs(_ isWanted: (Cell.BaselineUse) -> Bool) -> [(cell: Cell, baseline: Cell)] {
    cells.compactMap { cell in
      guard cell.isMeasured, let use = cell.baselineUse, isWanted(use), let id = cell.baseline, id != cell.id,
        let baseline = self.cell(id), baseline.isMeasured
      else { return nil }
      return (cell, baseline)
    }
  }

  /// Whether every cell's ratio to its baseline, a primitive's to its loop among them, is known to the precision asked
  /// for.
  ///
  /// Where there is no ratio nothing can be known; no where none was asked for. The rounds must be enough for the
  /// verdicts, too.
  public var reachesPrecision: Bool {
    guard let precision else { return false }
    let compared = pairs { _ in true }
    let rounds = fewestRoundsOfVerdicts
    return !compared.isEmpty
      && compared.allSatisfy {
        guard let ratio = ratio($0.cell, over: $0.baseline) else { return false }
        return ratio.rounds >= rounds && ratio.reaches(precision: precision)
      }
  }

  /// Draws every conclusion from the cells: intervals, warnings, comparisons, verdicts, break-even.
  public mutating func conclude() {
    for index in cells.indices {
      let interval = medianInterval(of: cells[index]).map { [$0.lowerBound, $0.upperBound] }
      guard let bounds = interval ?? cells[index].summary?.medianInterval95, bounds.count == 2 else { continue }
      // No cost is below zero.
      cells[index].summary?.medianInterval95 = bounds[1] > 0 ? [max(0, bounds[0]), bounds[1]] : nil
    }
    if clock.doubt == nil { clock.doubt = doubtOfClock }
    let doubt = clock.doubt.map { ["the clock cannot be believed, and nothing is decided by it: \($0)"] } ?? []
    warnings = (doubt + warnings + warningsOfCells + [lackOfRounds].compactMap { $0 }).uniqued
    unknown = openFigures
    comparisons = divisions.compactMap { cell, baseline in
      ratio(cell, over: baseline).map {
        Comparison(
          cell: cell.id, baseline: baseline.id, ratio: $0.ratio,
          interval: [$0.interval.lowerBound, $0.interval.upperBound], differs: $0.differs && clock.doubt == nil)
      }
    }
    breakEven = BreakEven(
      cells: cells, isExact: environment.countsInstructions == true, seed: seed, doubtOfClock: clock.doubt)
    verdicts = Claim.allCases.map { Verdict(on: $0, from: self) }
  }

  /// The comparison of this cell with its baseline.
  public func comparison(of cell: Cell) -> Comparison? {
    comparisons.first { $0.cell == cell.id && $0.baseline == cell.baseline }
  }
}
