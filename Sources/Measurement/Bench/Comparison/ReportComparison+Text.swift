// The comparison of two benchmarks as a person reads it, in at most 100 columns.

extension ReportComparison {
  /// The comparison as text; what became dearer by more than the threshold is marked.
  public func text(threshold: Double? = nil) -> String {
    let width = BenchReport.textWidth
    var text = ""
    if !environment.isEmpty { text += "These circumstances differ\n" }
    for circumstance in environment {
      text += "\(circumstance.name): \(circumstance.first) -> \(circumstance.second)"
        .wrapped(width: width, first: "  ", indent: 6)
    }
    let beyond = Set(threshold.map { regressions(threshold: $0).map(\.cell) } ?? [])
    var table = TextTable(right: [1, 2, 3, 4])
    table.add(["cell", "first", "second", "x", "95 % interval", ""])
    for change in cells {
      let interval = change.interval.map(Decimal.ratio)
      let verdict = beyond.contains(change.cell) ? "SLOWER" : change.differs ? "differs" : ""
      table.add([
        change.cell, Decimal.cycles(change.first), Decimal.cycles(change.second),
        Decimal.text(change.ratio, digits: 3), interval.count == 2 ? "\(interval[0]) to \(interval[1])" : "", verdict,
      ])
    }
    if !cells.isEmpty { text += (text.isEmpty ? "" : "\n") + "Cycles per iteration\n" + table.text(width: width) }
    for (ids, which) in [(onlyInFirst, "first"), (onlyInSecond, "second")] where !ids.isEmpty {
      text += "Only in the \(which): \(ids.joined(separator: ", "))".wrapped(width: width, indent: 2)
    }
    if let threshold {
      text +=
        beyond.isEmpty
        ? "No cell became dearer by more than \(Decimal.percent(threshold)).\n"
        : "\(beyond.count) of \(cells.count) cells became dearer by more than \(Decimal.percent(threshold)).\n"
    }
    return text
  }
}
