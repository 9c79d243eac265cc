// The comparison as a gate with a threshold.

extension ReportComparison {
  /// Whether both clocks count instructions, so that medians have no noise.
  package var isExact: Bool { unit == "instructions" }

  /// A cell's position relative to a threshold.
  package enum Standing {
    /// Slower by more than the threshold.
    case slower
    /// Faster by more than the threshold, in the same sense: the first is slower than the second by more.
    case faster
    /// Neither.
    case within
    /// The interval reaches across the threshold: more rounds may decide it.
    case open
    /// There is no interval.
    case undecided
  }

  /// A cell's position relative to a threshold: 0.05 is 5 %.
  ///
  /// The whole interval has to lie beyond it, so that noise alone does not count. All intervals hold at once with
  /// `confidence`, as far as the rounds of each result are alike and independent of each other: of 100 comparisons of a
  /// build with itself at most about 5 have any cell that is called slower or faster then, whatever the threshold
  /// (docs/measuring.md says what breaks it). Where both clocks count instructions the ratio decides by itself, after
  /// however few rounds.
  package func standing(of change: CellChange, threshold: Double) -> Standing {
    guard let bounds = isExact ? Interval(change.ratio, change.ratio) : change.interval else { return .undecided }
    if bounds.lower > 1 + threshold { return .slower }
    if bounds.upper * (1 + threshold) < 1 { return .faster }
    return bounds.upper <= 1 + threshold && bounds.lower * (1 + threshold) >= 1 ? .within : .open
  }

  /// The cells that became slower by more than a share: 0.05 is 5 %.
  public func regressions(threshold: Double) -> [CellChange] {
    cells.filter { standing(of: $0, threshold: threshold) == .slower }
  }

  /// The cells that became faster by more than a share, in the same sense: the first is slower than the second by
  /// more.
  public func improvements(threshold: Double) -> [CellChange] {
    cells.filter { standing(of: $0, threshold: threshold) == .faster }
  }

  /// The ids of all cells that are not the same in both, within a share: slower, faster, measured by one alone, or
  /// without a ratio.
  public func changes(threshold: Double) -> [String] {
    (regressions(threshold: threshold) + improvements(threshold: threshold)).map(\.cell) + onlyInFirst + onlyInSecond
      + void.map(\.cell)
  }

  /// The cells that look slower by more than a share but cannot be judged: they have no interval, or one that reaches
  /// across the threshold.
  ///
  /// With `bothWays`, also those that look faster.
  public func suspects(threshold: Double, bothWays: Bool = false) -> [CellChange] {
    cells.filter { change in
      guard [.open, .undecided].contains(standing(of: change, threshold: threshold)) else { return false }
      return change.ratio > 1 + threshold || bothWays && change.ratio * (1 + threshold) < 1
    }
  }

  /// Whether any cell's ratio can be judged at all.
  public var judgesSomething: Bool { cells.count > undecided.count }

  /// Whether a gate with this threshold is passed: nothing changed beyond it or seems to have changed, no cell was lost
  /// or is void, and something could be judged.
  ///
  /// A cell that became slower fails the gate, with `bothWays` every cell in `changes`. Cells that cannot be judged
  /// fail it if their ratio lies beyond the threshold (`suspects`), and are only named otherwise. If no cell can be
  /// judged, the gate is not passed.
  public func passes(threshold: Double, bothWays: Bool = false) -> Bool {
    let isUnchanged = bothWays ? changes(threshold: threshold).isEmpty : regressions(threshold: threshold).isEmpty
    let isClear = suspects(threshold: threshold, bothWays: bothWays).isEmpty
    return isUnchanged && isClear && lost.isEmpty && void.isEmpty && judgesSomething
  }
}
