// The evidence for verdicts: the cells that a claim needs, their figures, and what is missing.

import Registers

/// Finds the measured cells of a kind, and their figures.
struct Evidence {
  let record: BenchRecord
  /// The confidence of each interval.
  let confidence: Double

  /// The evidence for a claim whose error of 5 % is shared by this many comparisons (Bonferroni).
  init(_ record: BenchRecord, sharing comparisons: Int = 1) {
    self.record = record
    confidence = 1 - 0.05 / Double(max(1, comparisons))
  }

  /// Something that a claim needs and the record does not have, with the figures that are known without it.
  struct Missing: Error {
    /// `cannotBeTested` where this host cannot do it, `notDecided` where the samples leave it open, else `notMeasured`.
    var outcome = BenchReport.Verdict.Outcome.notMeasured
    var reason: String
    var figures: [BenchReport.Figure] = []
  }

  /// A figure with the interval that it is judged by.
  struct Finding {
    var figure: BenchReport.Figure
    var interval: Interval
    /// The confidence of the interval.
    var confidence: Double
    var rounds: Int

    /// Whether there are enough rounds, or hosts, for the confidence.
    func standsOnEnough(_ unit: BenchRecord.Unit) -> Bool { rounds >= unit.fewest(confidence: confidence) }
  }

  /// The first measured cell of this kind, in the record's order.
  func find(_ what: String, where matches: (CellRecord) -> Bool) throws(Missing) -> CellRecord {
    try find(what, where: matches, tried: matches)
  }

  /// The first measured cell of this kind; if there is none, a cell that `tried` accepts gives the reason.
  ///
  /// Where an instruction ends is known only after it was measured.
  func find(
    _ what: String, where matches: (CellRecord) -> Bool, tried: (CellRecord) -> Bool
  ) throws(Missing) -> CellRecord {
    if let cell = record.cells.first(where: { $0.isMeasured && matches($0) }) { return cell }
    let candidates = record.cells.filter(tried)
    if let absent = candidates.first(where: { !$0.isMeasured }) {
      let why = absent.reason.map { ": \($0.withoutFullStop)" } ?? ""
      throw Missing(
        outcome: absent.status == .unsupported ? .cannotBeTested : .notMeasured,
        reason: "\(what) was not measured (\(absent.status.text)\(why))")
    }
    if let other = candidates.first {
      throw Missing(
        outcome: .cannotBeTested,
        reason: "\(what) was not measured (in \(other.id) it ends in \(other.end.text) here)")
    }
    throw Missing(reason: "\(what) was not measured")
  }

  /// The measured cells of this kind, in the record's order.
  func all(where matches: (CellRecord) -> Bool) -> [CellRecord] {
    record.cells.filter { $0.isMeasured && matches($0) }
  }

  /// The bare entry that a cell is compared with.
  func bare(for cell: CellRecord) throws(Missing) -> CellRecord {
    if let id = cell.baseline, cell.baselineUse == .divide, let baseline = record.cell(id), baseline.isMeasured {
      return baseline
    }
    return try find("the bare entry by \(cell.entry)") {
      $0.workload == .bare && $0.entry == cell.entry && $0.neighbour == nil
    }
  }

  /// The ratio of two cells.
  func ratio(
    _ name: String, _ cell: CellRecord, over baseline: CellRecord
  ) throws(Missing) -> Finding {
    let estimate: RatioEstimate
    do throws(RatioUnknown) {
      estimate = try record.estimates.knownRatio(cell, over: baseline, confidence: confidence)
    } catch {
      // Without a common round the two were not measured together; all else is noise, which decides nothing.
      throw Missing(
        outcome: error == .noCommonRound ? .notMeasured : .notDecided,
        reason: "\(cell.id) over \(baseline.id) is not known: \(error)")
    }
    return finding(name, estimate.ratio, estimate.interval, unit: "x", rounds: estimate.rounds)
  }

  /// How much more a cell costs than another, in the clock's unit.
  func difference(
    _ name: String, _ cell: CellRecord, minus baseline: CellRecord
  ) throws(Missing) -> Finding {
    guard let estimate = record.estimates.difference(cell, minus: baseline, confidence: confidence) else {
      throw Missing(reason: "no round holds both \(cell.id) and \(baseline.id)")
    }
    return finding(name, estimate.difference, estimate.interval, unit: record.environment.unit, rounds: estimate.rounds)
  }

  /// The cost of a cell, in the clock's unit.
  func cost(_ name: String, _ cell: CellRecord) throws(Missing) -> Finding {
    guard let estimate = record.estimates.cost(cell, confidence: confidence) else {
      throw Missing(reason: "no round holds \(cell.id)")
    }
    return finding(name, estimate.difference, estimate.interval, unit: record.environment.unit, rounds: estimate.rounds)
  }

  /// The costs of cells, each from the result of its mode.
  func instructions(_ cells: [(mode: SpecCtrlMode, cell: CellRecord)]) throws(Missing) -> [Double] {
    var costs: [Double] = []
    for (mode, cell) in cells {
      guard let record = record.measured(in: mode) else {
        throw Missing(reason: "KVM \(mode.summary) was not measured")
      }
      costs.append(try Evidence(record).cost(cell.id, cell).figure.value)
    }
    return costs
  }

  /// The ratio of two cells that were measured in two runs.
  func ratio(_ name: String, _ cell: CellRecord, acrossRuns baseline: CellRecord) throws(Missing) -> Finding {
    let estimate: RunRatio
    do throws(RatioUnknown) {
      estimate = try RunRatio(of: cell.settledRounds, over: baseline.settledRounds, confidence: confidence)
    } catch {
      throw Missing(
        outcome: .notDecided, reason: "the ratio of \(cell.id) in two results is not known: \(error)")
    }
    guard let interval = record.environment.isExact ? Interval(estimate.ratio, estimate.ratio) : estimate.interval
    else {
      throw Missing(
        outcome: .notEnoughRounds, reason: "too few rounds of \(cell.id) were measured to compare two results")
    }
    return finding(name, estimate.ratio, interval, unit: "x", rounds: estimate.rounds)
  }

  /// The cost of a cell without its loop, in the clock's unit.
  ///
  /// The loop is the cell's own baseline, or else the empty loop, `bare` without user mode.
  func netCost(_ name: String, _ cell: CellRecord) throws(Missing) -> Finding {
    let own = cell.baselineUse == .subtract ? cell.baseline : nil
    let loop = try find("the empty loop (\(own ?? "bare without user mode"))") {
      if let own { $0.id == own } else { $0.workload == .bare && $0.isPrimitive }
    }
    return try difference(name, cell, minus: loop)
  }

  /// A figure; where the clock counts instructions there is no noise, and it is its own interval.
  private func finding(
    _ name: String, _ value: Double, _ interval: Interval, unit: String, rounds: Int
  ) -> Finding {
    let interval = record.environment.isExact ? Interval(value, value) : interval
    return Finding(
      figure: BenchReport.Figure(name: name, value: value, interval: interval, unit: unit),
      interval: interval, confidence: confidence, rounds: rounds)
  }
}

extension Evidence.Finding {
  /// The figure in words: "1.02 (1.01 to 1.03)", "1200 cycles (1180 to 1210)".
  var text: String {
    let isRatio = figure.unit == "x"
    let value = isRatio ? Decimal.ratio(figure.value) : "\(Decimal.cost(figure.value)) \(figure.unit)"
    guard interval.width > 0 else { return value }
    let bounds =
      isRatio
      ? "\(Decimal.ratio(interval.lower)) to \(Decimal.ratio(interval.upper))"
      : Decimal.costInterval(interval)
    return "\(value) (\(bounds))"
  }

  /// Where the interval lies.
  func position(in tolerance: ClosedRange<Double>) -> Position {
    if tolerance.contains(interval.lower), tolerance.contains(interval.upper) { return .inside }
    return tolerance.overlaps(interval.lower...interval.upper) ? .across : .outside
  }

  /// Where an interval lies relative to a tolerance.
  enum Position {
    case inside
    case outside
    /// Across its edge: more rounds may decide it.
    case across

    /// The words between interval and tolerance: "KVM's interval lies within 1.5 to 6".
    var text: String {
      switch self {
      case .inside: "lies within"
      case .outside: "lies outside"
      case .across: "lies across the edge of"
      }
    }
  }
}

extension [Evidence.Finding] {
  /// The outcome when each of these figures has to lie inside the tolerance.
  func outcome(in tolerance: ClosedRange<Double>) -> BenchReport.Verdict.Outcome {
    let positions = map { $0.position(in: tolerance) }
    if positions.contains(.outside) { return .doesNotHold }
    return positions.contains(.across) ? .notDecided : .holds
  }

  /// The smallest and the largest ratio.
  var range: String {
    let ratios = map(\.figure.value)
    let low = Decimal.ratio(ratios.min() ?? 1)
    let high = Decimal.ratio(ratios.max() ?? 1)
    return low == high ? low : "\(low) to \(high)"
  }
}

extension CellRecord {
  /// Whether this is a guest alone that writes SPEC_CTRL or its stand-in this often and exits this often.
  func isWriter(writes: Int = 2, exits: Int = 0) -> Bool {
    workload == .ibrs && !isPrimitive && neighbour == nil && writesPerEntry == writes && exitsPerEntry == exits
      && branches == 0
  }

  /// Whether it writes the MSR that stands in for SPEC_CTRL where KVM is to end the write.
  var writesStandIn: Bool { msr?.value == .standIn }

  /// Whether its guest exits at all while it is measured, by the VMM's count where there is one.
  var exits: Bool { vmmExitsPerEntry.map { $0 > 0.5 } ?? (exitsPerEntry > 0) }

  /// Whether it differs from another cell in nothing but the policy.
  func isLike(_ other: Self) -> Bool {
    workload == other.workload && entry == other.entry && msr == other.msr && neighbour == other.neighbour
      && writesPerEntry == other.writesPerEntry && exitsPerEntry == other.exitsPerEntry && branches == other.branches
      && kernel?.mitigation == other.kernel?.mitigation
  }

  /// Whether it is a real kernel's system call.
  var isSystemCall: Bool { kernel.map { $0.work == .getppid } ?? false }

  /// Whether it is one of a kernel that does one of these against Spectre v2, by what it says.
  func isSystemCall(of mitigations: [KernelMitigation]) -> Bool {
    isSystemCall && mitigations.contains { kernel?.taken == .known($0) }
  }

  /// The work of its guest, in a few words.
  var load: String {
    "\(workload)/\(entry) at \(writesPerEntry) writes and \(counted(exitsPerEntry, "exit"))"
  }
}

extension CellRecord.Place {
  /// The place, for a sentence.
  package var text: String {
    switch self {
    case .hardware: "the hardware"
    case .kvm: "KVM"
    case .vmm: "the VMM"
    case .none: "no place"
    }
  }
}

extension CellRecord.Status {
  fileprivate var text: String {
    switch self {
    case .measured: "no sample"
    case .unsupported: "not possible on this host"
    case .void: "its witnesses contradict each other"
    case .failed: "it failed"
    }
  }
}

extension String {
  /// The text without a full stop at its end, for use inside a sentence.
  var withoutFullStop: String { hasSuffix(".") ? String(dropLast()) : self }
}
