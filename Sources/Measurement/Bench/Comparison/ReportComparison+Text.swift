// The comparison of two benchmarks as a person reads it, in at most 100 columns.

extension ReportComparison {
  /// The comparison as text; what became dearer by more than the threshold is marked, and with `bothWays` what became cheaper.
  public func text(threshold: Double? = nil, bothWays: Bool = false) -> String {
    let width = BenchReport.textWidth
    var text = ""
    if !environment.isEmpty { text += "These circumstances differ\n" }
    for circumstance in environment {
      text += "\(circumstance.name): \(circumstance.first) -> \(circumstance.second)"
        .wrapped(width: width, first: "  ", indent: 6)
    }
    for note in notes { text += note.wrapped(width: width, first: "Note: ", indent: 6) }
    let dearer = Set(threshold.map { regressions(threshold: $0).map(\.cell) } ?? [])
    let cheaper = Set(threshold.map { bothWays ? improvements(threshold: $0).map(\.cell) : [] } ?? [])
    var table = TextTable(right: [1, 2, 3, 4])
    table.add(["cell", "first", "second", "x", "95 % interval", ""])
    for change in cells {
      let interval = (change.interval ?? []).map(Decimal.ratio)
      let verdict =
        undecided.contains(change.cell)
        ? "undecided"
        : dearer.contains(change.cell)
          ? "SLOWER" : cheaper.contains(change.cell) ? "FASTER" : change.differs ? "differs" : ""
      table.add([
        change.cell, Decimal.cycles(change.first), Decimal.cycles(change.second),
        Decimal.text(change.ratio, digits: 3), interval.count == 2 ? "\(interval[0]) to \(interval[1])" : "", verdict,
      ])
    }
    let heading = "\((unit ?? "ticks").capitalised) per iteration\n"
    if !cells.isEmpty { text += (text.isEmpty ? "" : "\n") + heading + table.text(width: width) }
    for why in lost.map(\.words).uniqued {
      let ids = lost.filter { $0.words == why }.map(\.cell)
      text += "Lost, in the second \(why): \(ids.joined(separator: ", "))".wrapped(width: width, indent: 2)
    }
    let others = [
      (onlyInSecond, "Only in the second"),
      (withoutRatio, "Without a ratio, since the first median is not above zero"),
      (
        undecided,
        "Undecided, with fewer than \(RatioEstimate.fewestRounds) rounds on a side or an interval without bounds"
      ),
    ]
    for (ids, what) in others where !ids.isEmpty {
      text += "\(what): \(ids.joined(separator: ", "))".wrapped(width: width, indent: 2)
    }
    if let threshold {
      for sentence in conclusion(threshold: threshold, bothWays: bothWays) { text += sentence.wrapped(width: width) }
    }
    return text
  }

  /// What a threshold makes of it, in sentences.
  private func conclusion(threshold: Double, bothWays: Bool) -> [String] {
    guard judgesSomething || !lost.isEmpty || bothWays && !changes(threshold: threshold).isEmpty else {
      return [
        cells.isEmpty
          ? "Nothing could be judged: no cell has a ratio."
          : "Nothing could be judged: no cell has \(RatioEstimate.fewestRounds) rounds in both, and an interval. "
            + "More --rounds or --time measure enough."
      ]
    }
    let all = cells.count + onlyInFirst.count + onlyInSecond.count + withoutRatio.count
    let beyond = bothWays ? changes(threshold: threshold).count : regressions(threshold: threshold).count
    let judged = undecided.isEmpty ? "" : " that could be judged"
    var sentences = [
      (beyond == 0 ? "No cell\(judged)" : "\(beyond) of \(bothWays ? all : cells.count) cells")
        + " \(bothWays ? "changed" : "became dearer") by more than \(Decimal.percent(threshold))"
        + "\(bothWays && beyond > 0 ? ", or cannot be compared" : "")."
    ]
    if !lost.isEmpty {
      sentences.append("\(lost.count) \(lost.count == 1 ? "cell was" : "cells were") lost, which no threshold allows.")
    }
    if !undecided.isEmpty {
      sentences.append("\(undecided.count) \(undecided.count == 1 ? "cell is" : "cells are") undecided.")
    }
    return sentences
  }
}

extension ReportComparison.Loss {
  /// What became of it: "void (its witnesses contradict each other)".
  fileprivate var words: String {
    (fate == .notReached ? "not reached" : fate.rawValue) + (reason.map { " (\($0))" } ?? "")
  }
}
