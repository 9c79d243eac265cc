// A benchmark as a page in Markdown, to be pasted into an issue or a mail.

extension BenchReport {
  /// The whole result in GitHub's Markdown.
  public var markdown: String {
    var text = "# spectrap bench\n\n"
    for (name, value) in facts { text += "- **\(name)**: \(value)\n" }
    for warning in warnings { text += "- **warning**: \(warning)\n" }
    for entry in workloadCells.map(\.entry).uniqued {
      text += "\n## Cost per kernel entry (\(entry))\n\n"
      text += "Exits per entry as the VMM and KVM count them.\n\n" + costTable(entry: entry, full: true).markdown
      let company = companyLines(entry: entry)
      if !company.isEmpty { text += "\n\(Self.companyTitle).\n\n" + company.map { "- \($0)\n" }.joined() }
    }
    if !primitiveCells.isEmpty {
      text += "\n## Cost of single instructions\n\nThe loop around them is taken off.\n\n" + primitiveTable.markdown
    }
    if !absences.isEmpty { text += "\n## Not measured\n\n" }
    for (why, ids) in absences { text += "- \(why): \(ids.map { "`\($0)`" }.joined(separator: ", "))\n" }
    if !unknown.isEmpty { text += "\n## Not known, and shown as ?\n\n" }
    for (why, ids) in unknownLines { text += "- \(why): \(ids.map { "`\($0)`" }.joined(separator: ", "))\n" }
    if !verdicts.isEmpty {
      var table = TextTable()
      table.add(["claim", "verdict", "why"])
      for verdict in verdicts {
        table.add(["\(verdict.claim.rawValue): \(verdict.claim.summary)", verdict.outcome.words, verdict.reason])
      }
      text += "\n## The claims of 2018\n\n" + table.markdown
      text += "\nClaimed by \(Claim.sources(of: verdicts.map(\.claim)).joined(separator: ", ")).\n"
    }
    if breakEven != nil {
      text += "\n## Break-even\n\n\(unit.capitalised) per entry = base + per write x writes + per exit x exits.\n\n"
      text += modelTable.markdown + "\n" + modelCaveats.map { "\($0)\n\n" }.joined()
      if !winnerLines.isEmpty { text += "\(winnerTitle):\n\n" }
      text += (winnerLines + crossingLines).map { "- \($0)\n" }.joined()
    }
    if cells.contains(where: \.isMeasured) {
      text +=
        "\n## Spread of the samples\n\n\(unit.capitalised) per iteration.\(spreadNote.map { " \($0)" } ?? "")\n\n"
        + spreadTable.markdown
    }
    return text
  }
}
