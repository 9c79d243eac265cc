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
    let dearer = Set(threshold.map { regressions(threshold: $0).map(\.cell) } ?? [])
    let cheaper = Set(threshold.map { bothWays ? improvements(threshold: $0).map(\.cell) : [] } ?? [])
    var table = TextTable(right: [1, 2, 3, 4])
    table.add(["cell", "first", "second", "x", "95 % interval", ""])
    for change in cells {
      let interval = (change.interval ?? []).map(Decimal.ratio)
      let verdict =
        dearer.contains(change.cell)
        ? "SLOWER" : cheaper.contains(change.cell) ? "FASTER" : change.differs ? "differs" : ""
      table.add([
        change.cell, Decimal.cycles(change.first), Decimal.cycles(change.second),
        Decimal.text(change.ratio, digits: 3), interval.count == 2 ? "\(interval[0]) to \(interval[1])" : "", verdict,
      ])
    }
    let heading = "\((unit ?? "ticks").capitalised) per iteration\n"
    if !cells.isEmpty { text += (text.isEmpty ? "" : "\n") + heading + table.text(width: width) }
    let others = [
      (onlyInFirst, "Only in the first"), (onlyInSecond, "Only in the second"),
      (withoutRatio, "Without a ratio, since the first median is not above zero"),
    ]
    for (ids, what) in others where !ids.isEmpty {
      text += "\(what): \(ids.joined(separator: ", "))".wrapped(width: width, indent: 2)
    }
    if let threshold {
      let share = Decimal.percent(threshold)
      let all = cells.count + onlyInFirst.count + onlyInSecond.count + withoutRatio.count
      let beyond = bothWays ? changes(threshold: threshold).count : dearer.count
      let change = bothWays ? "changed" : "became dearer"
      text += beyond == 0 ? "No cell" : "\(beyond) of \(bothWays ? all : cells.count) cells"
      text += " \(change) by more than \(share)\(bothWays && beyond > 0 ? ", or cannot be compared" : "").\n"
    }
    return text
  }
}
