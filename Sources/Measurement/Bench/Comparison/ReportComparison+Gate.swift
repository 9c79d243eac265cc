// The comparison as a gate: what a threshold makes of it.

extension ReportComparison {
  /// Whether medians are to be taken at their word: clocks that count instructions have no noise.
  private var isExact: Bool { unit == "instructions" }

  /// The cells that became dearer by more than a share: 0.05 is 5 %.
  ///
  /// The ratio has to exceed the threshold and its interval to leave out 1, so that noise alone does not count. Of 100
  /// unchanged cells at most about 5 have such an interval; a threshold above the noise keeps them out. Where both clocks
  /// count instructions the ratio decides by itself, after however few rounds.
  public func regressions(threshold: Double) -> [CellChange] {
    cells.filter { (isExact || $0.differs) && $0.ratio > 1 + threshold }
  }

  /// The cells that became cheaper by more than a share, in the same sense: the first is dearer than the second by more.
  public func improvements(threshold: Double) -> [CellChange] {
    cells.filter { (isExact || $0.differs) && $0.ratio * (1 + threshold) < 1 }
  }

  /// The ids of all cells that are not the same in both, within a share: dearer, cheaper, measured by one alone, or without a
  /// ratio.
  public func changes(threshold: Double) -> [String] {
    (regressions(threshold: threshold) + improvements(threshold: threshold)).map(\.cell) + onlyInFirst + onlyInSecond
      + withoutRatio
  }

  /// Whether any cell's ratio can be judged at all.
  public var judgesSomething: Bool { cells.count > undecided.count }

  /// Whether a gate with this threshold is passed: nothing changed beyond it, no cell was lost, and something could be judged.
  ///
  /// A cell that became dearer counts, with `bothWays` every cell in `changes`. Single cells that cannot be judged are named and
  /// do not fail; where none can be judged, nothing is known, and that is no pass.
  public func passes(threshold: Double, bothWays: Bool = false) -> Bool {
    let isUnchanged = bothWays ? changes(threshold: threshold).isEmpty : regressions(threshold: threshold).isEmpty
    return isUnchanged && lost.isEmpty && judgesSomething
  }
}
