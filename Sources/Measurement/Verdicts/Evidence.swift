// What verdicts are made from: the cells that a claim needs, the figures they give, and what is missing.

/// The measured cells, asked for by what they are.
struct Evidence {
  let report: BenchReport

  /// What a claim needs and the report does not have, with the figures that could be had without it.
  struct Missing: Error {
    var reason: String
    var figures: [BenchReport.Figure] = []
  }

  /// A figure with the interval that it is judged by.
  struct Finding {
    var figure: BenchReport.Figure
    var interval: ClosedRange<Double>
    /// The confidence of the interval.
    var confidence: Double
    var rounds: Int

    /// Whether there are enough rounds for the confidence.
    var standsOnEnoughRounds: Bool { rounds >= RatioEstimate.fewestRounds(confidence: confidence) }
  }

  /// The first measured cell of this kind, in the report's order.
  func find(_ what: String, where matches: (BenchReport.Cell) -> Bool) throws(Missing) -> BenchReport.Cell {
    let candidates = report.cells.filter(matches)
    if let cell = candidates.first(where: \.isMeasured) { return cell }
    guard let failed = candidates.first else { throw Missing(reason: "\(what) was not measured") }
    let why = failed.reason.map { ": \($0.withoutFullStop)" } ?? ""
    throw Missing(reason: "\(what) was not measured (\(failed.status.words)\(why))")
  }

  /// The measured cells of this kind, in the report's order.
  func all(where matches: (BenchReport.Cell) -> Bool) -> [BenchReport.Cell] {
    report.cells.filter { $0.isMeasured && matches($0) }
  }

  /// The bare entry that a cell is held against.
  func bare(for cell: BenchReport.Cell) throws(Missing) -> BenchReport.Cell {
    if let id = cell.baseline, cell.baselineUse == .divide, let baseline = report.cell(id), baseline.isMeasured {
      return baseline
    }
    return try find("the bare entry by \(cell.entry)") {
      $0.workload == "bare" && $0.entry == cell.entry && $0.neighbour == nil
    }
  }

  /// The ratio of two cells as a finding.
  func ratio(
    _ name: String, _ cell: BenchReport.Cell, over baseline: BenchReport.Cell, confidence: Double = 0.95
  ) throws(Missing) -> Finding {
    let estimate: RatioEstimate
    do throws(RatioUnknown) {
      estimate = try report.knownRatio(cell, over: baseline, confidence: confidence)
    } catch {
      throw Missing(reason: "\(cell.id) over \(baseline.id) is not known: \(error)")
    }
    return Finding(name, estimate.ratio, estimate.interval, confidence, unit: "x", rounds: estimate.rounds)
  }

  /// What a cell costs without its baseline loop, in the clock's unit.
  ///
  /// Subtracted is the cell's own baseline, or else the empty loop, `bare` without user mode.
  func netCost(_ name: String, _ cell: BenchReport.Cell) throws(Missing) -> Finding {
    let own = cell.baselineUse == .subtract ? cell.baseline : nil
    let loop = try find("the empty loop (\(own ?? "bare without user mode"))") {
      if let own { $0.id == own } else { $0.workload == "bare" && $0.entry == "none" }
    }
    guard let estimate = report.difference(cell, minus: loop) else {
      throw Missing(reason: "no round holds both \(cell.id) and \(loop.id)")
    }
    return Finding(name, estimate.difference, estimate.interval, 0.95, unit: report.unit, rounds: estimate.rounds)
  }
}

extension Evidence.Finding {
  init(
    _ name: String, _ value: Double, _ interval: ClosedRange<Double>, _ confidence: Double, unit: String, rounds: Int
  ) {
    figure = BenchReport.Figure(
      name: name, value: value, interval: [interval.lowerBound, interval.upperBound], unit: unit)
    self.interval = interval
    self.confidence = confidence
    self.rounds = rounds
  }

  /// The figure in words: "1.02 (1.01 to 1.03)", "1200 cycles (1180 to 1210)".
  var words: String {
    guard figure.unit != "x" else {
      return
        "\(Decimal.ratio(figure.value)) (\(Decimal.ratio(interval.lowerBound)) to \(Decimal.ratio(interval.upperBound)))"
    }
    return "\(Decimal.cost(figure.value)) \(figure.unit) "
      + "(\(Decimal.costInterval(interval.lowerBound, interval.upperBound)))"
  }

  /// Where the interval lies.
  func position(in tolerance: ClosedRange<Double>) -> Position {
    if tolerance.contains(interval.lowerBound), tolerance.contains(interval.upperBound) { return .inside }
    return tolerance.overlaps(interval) ? .across : .outside
  }

  /// Where an interval lies relative to a tolerance.
  enum Position {
    case inside
    case outside
    /// Across its edge: more measuring would tell.
    case across
  }
}

extension BenchReport.Cell.Status {
  fileprivate var words: String {
    switch self {
    case .measured: "no sample"
    case .unsupported: "not possible on this host"
    case .void: "its witnesses contradict each other"
    case .failed: "it failed"
    }
  }
}

extension String {
  /// The text without a full stop at its end, to stand inside a sentence.
  var withoutFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
