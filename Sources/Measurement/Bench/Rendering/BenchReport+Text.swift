// A benchmark as a person reads it at a terminal, in at most 100 columns.

extension BenchReport {
  /// The width that the text fits.
  static let textWidth = 100

  /// The whole result as text: what may spoil it, costs, verdicts, break-even, the spread of the samples.
  public var text: String {
    let width = Self.textWidth
    var text = ""
    for (name, value) in facts {
      let first = name + String(repeating: " ", count: 10 - name.count)
      text += value.wrapped(width: width, first: first, indent: 10)
    }
    for warning in warnings { text += warning.wrapped(width: width, first: "WARNING   ", indent: 10) }
    for entry in workloadCells.map(\.entry).uniqued {
      text += "\nCost per kernel entry (\(entry)); exits per entry as the VMM and KVM count them\n"
      text += costTable(entry: entry, full: false).text(width: width)
      let company = companyLines(entry: entry)
      if !company.isEmpty { text += "\(Self.companyTitle)\n" }
      for line in company { text += line.wrapped(width: width, first: "  ", indent: 6) }
    }
    if !primitiveCells.isEmpty {
      text += "\nCost of single instructions, the loop around them taken off\n" + primitiveTable.text(width: width)
    }
    if !absences.isEmpty { text += "\nNot measured\n" }
    for (why, ids) in absences {
      text += "\(why):".wrapped(width: width, first: "  ", indent: 2)
      text += ids.joined(separator: ", ").wrapped(width: width, first: "      ", indent: 6)
    }
    if !unknown.isEmpty { text += "\nNot known, and shown as ?\n" }
    for (why, ids) in unknownLines {
      text += "\(why):".wrapped(width: width, first: "  ", indent: 2)
      text += ids.joined(separator: ", ").wrapped(width: width, first: "      ", indent: 6)
    }
    if !verdicts.isEmpty { text += "\nThe claims of 2018\n" }
    for verdict in verdicts {
      text += "\(verdict.claim.rawValue)  \(verdict.outcome.words.uppercased()): \(verdict.claim.summary)\n"
      text += verdict.reason.wrapped(width: width, first: "    ", indent: 4)
    }
    if breakEven != nil {
      text += "\nBreak-even: \(unit) per entry = base + per write x writes + per exit x exits\n"
      text += modelTable.text(width: width)
      for caveat in modelCaveats { text += caveat.wrapped(width: width) }
      if !winnerLines.isEmpty { text += "\(winnerTitle):\n" }
      for line in winnerLines { text += line.wrapped(width: width, first: "  ", indent: 6) }
      for line in crossingLines { text += line.wrapped(width: width, first: "  ", indent: 6) }
    }
    if cells.contains(where: \.isMeasured) {
      text += "\nSpread of the samples, \(unit) per iteration\n" + (spreadNote?.wrapped(width: width) ?? "")
      text += spreadTable.text(width: width)
    }
    return text
  }
}
