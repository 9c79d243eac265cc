// A benchmark as a person reads it at a terminal.

extension BenchReport {
  /// The width that the text fits where nobody asks for another, in columns.
  static let textWidth = 100

  /// The whole result as text of the usual width.
  public var text: String { text(width: Self.textWidth) }

  /// The whole result as text of so many columns: what may spoil it, costs, verdicts, break-even, the spread of the
  /// samples.
  public func text(width: Int) -> String {
    var text = ""
    for (name, value) in facts {
      let first = name + String(repeating: " ", count: 10 - name.count)
      text += value.wrapped(width: width, first: first, indent: 10)
    }
    for warning in warnings { text += warning.wrapped(width: width, first: "WARNING   ", indent: 10) }
    for entry in workloadCells.map(\.entry).uniqued {
      text += "\n"
      text += "Cost per kernel entry (\(entry)); exits per entry as the VMM and KVM count them".wrapped(width: width)
      text += costTable(entry: entry, full: false).text(width: width)
      let company = companyLines(entry: entry)
      if !company.isEmpty { text += Self.companyTitle.wrapped(width: width) }
      for line in company { text += line.wrapped(width: width, first: "  ", indent: 6) }
    }
    if !primitiveCells.isEmpty {
      text += "\n"
      text += "Cost of single instructions, the loop around them taken off".wrapped(width: width)
      text += primitiveTable.text(width: width)
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
      text += "\(verdict.outcome.words.uppercased()): \(verdict.claim.summary)"
        .wrapped(width: width, first: "\(verdict.claim.rawValue)  ", indent: 4)
      text += verdict.reason.wrapped(width: width, first: "    ", indent: 4)
    }
    if breakEven != nil {
      text += "\n"
      text += "Break-even: \(unit) per entry = base + per write x writes + per exit x exits".wrapped(width: width)
      text += modelTable.text(width: width)
      for caveat in modelCaveats { text += caveat.wrapped(width: width) }
      if !winnerLines.isEmpty { text += "\(winnerTitle):".wrapped(width: width) }
      for line in winnerLines { text += line.wrapped(width: width, first: "  ", indent: 6) }
      for line in crossingLines { text += line.wrapped(width: width, first: "  ", indent: 6) }
    }
    if cells.contains(where: \.isMeasured) {
      text +=
        "\n" + "Spread of the samples, \(unit) per iteration".wrapped(width: width)
        + (spreadNote?.wrapped(width: width) ?? "")
      text += spreadTable.text(width: width)
    }
    return text
  }
}
