// The comparison as a gate with a threshold.

extension ReportComparison {
  /// Whether both clocks count instructions, so that medians have no noise.
  package var isExact: Bool { unit == "instructions" }

  /// A cell's position relative to a threshold.
  package enum Standing {
    /// Dearer by more than the threshold.
    case dearer
    /// Cheaper by more than the threshold, in the same sense: the first is dearer than the second by more.
    case cheaper
    /// Neither.
    case within
    /// The interval reaches across the threshold: more rounds would tell.
    case open
    /// There is no interval.
    case undecided
  }

  /// A cell's position relative to a threshold: 0.05 is 5 %.
  ///
  /// The whole interval has to lie beyond it, so that noise alone does not count. All intervals hold at once with
  /// `confidence`, as far as the rounds of each result are alike and independent of each other: of 100 comparisons of a
  /// build with itself at most about 5 have any cell that is called dearer or cheaper then, whatever the threshold
  /// (docs/measuring.md says what breaks it). Where both clocks count instructions the ratio decides by itself, after
  /// however few rounds.
  package func standing(of change: CellChange, threshold: Double) -> Standing {
    guard let bounds = isExact ? Interval(change.ratio, change.ratio) : change.interval else { return .undecided }
    if bounds.lower > 1 + threshold { return .dearer }
    if bounds.upper * (1 + threshold) < 1 { return .cheaper }
    return bounds.upper <= 1 + threshold && bounds.lower * (1 + threshold) >= 1 ? .within : .open
  }

  /// The cells that became dearer by more than a share: 0.05 is 5 %.
  public func regressions(threshold: Double) -> [CellChange] {
    cells.filter { standing(of: $0, threshold: threshold) == .dearer }
  }

  /// The cells that became cheaper by more than a share, in the same sense: the first is dearer than the second by
  /// more.
  public func improvements(threshold: Double) -> [CellChange] {
    cells.filter { standing(of: $0, threshold: threshold) == .cheaper }
  }

  /// The ids of all cells that are not the same in both, within a share: dearer, cheaper, measured by one alone, or
  /// without a ratio.
  public func changes(threshold: Double) -> [String] {
    (regressions(threshold: threshold) + improvements(threshold: threshold)).map(\.cell) + onlyInFirst + onlyInSecond
      + void.map(\.cell)
  }

  /// The cells that look dearer by more than a share, with `bothWays` also those that look cheaper, and of which it
  /// cannot be told: they have no interval, or one that reaches across the threshold.
  public func suspects(threshold: Double, bothWays: Bool = false) -> [CellChange] {
    cells.filter { change in
      guard [.open, .undecided].contains(standing(of: change, threshold: threshold)) else { return false }
      return change.ratio > 1 + threshold || bothWays && change.ratio * (1 + threshold) < 1
    }
  }

  /// Whether any cell's ratio can be judged at all.
  public var judgesSomething: Bool { cells.count > undecided.count }

  /// Whether a gate with this threshold is passed: nothing changed beyond it or looks as if it had, no cell was lost or
  /// is void, and something could be judged.
  ///
  /// A cell that became dearer counts, with `bothWays` every cell in `changes`. Cells that cannot be judged fail where
  /// their ratio lies beyond the threshold (`suspects`), and are named else; where none can be judged, nothing is
  /// known, and that is no pass.
  public func passes(threshold: Double, bothWays: Bool = false) -> Bool {
    let isUnchanged = bothWays ? changes(threshold: threshold).isEmpty : regressions(threshold: threshold).isEmpty
    let isClear = suspects(threshold: threshold, bothWays: bothWays).isEmpty
    return isUnchanged && isClear && lost.isEmpty && void.isEmpty && judgesSomething
  }
}
