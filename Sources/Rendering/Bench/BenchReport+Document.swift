// A benchmark as a person reads it: warnings, costs, verdicts, break-even, the spread of the samples.

public import Measurement
import Registers

extension BenchReport {
  /// The result as text of the usual width.
  public var text: String { document().text() }

  /// The result as text of at most `width` columns.
  public func text(width: Int) -> String { document().text(width: width) }

  /// The whole result as a page in GitHub's Markdown.
  public var markdown: String { document(isWhole: true).markdown }

  /// The result as a document; with `isWhole`, it has the interval of each ratio and the sources of the claims.
  public func document(isWhole: Bool = false) -> Document {
    Document(
      title: "spectrap bench",
      [Document.Section([.facts(facts + warnings.map(Document.Fact.warning))])]
        + workloadCells.map(\.entry).uniqued.map { costSection(entry: $0, isWhole: isWhole) }
        + [
          primitiveSection, kernelSection, groupSection("Not measured", absences),
          groupSection("Not known, and shown as ?", unknownGroups), claimSection(isWhole: isWhole), breakEvenSection,
          host.exitWorkSection, spreadSection,
        ].compactMap(\.self))
  }

  private func costSection(entry: Known<Entry>, isWhole: Bool) -> Document.Section {
    let company = companyLines(entry: entry)
    return Document.Section(
      .init(
        "Cost per kernel entry (\(entry))", remark: "; exits per entry as the VMM and KVM count them",
        note: "Exits per entry as the VMM and KVM count them."),
      [.table(costTable(entry: entry, withIntervals: isWhole))]
        + (company.isEmpty ? [] : [.list(caption: Self.companyTitle, company)]))
  }

  private var primitiveSection: Document.Section? {
    guard !primitiveCells.isEmpty else { return nil }
    return Document.Section(
      .init(
        "Cost of single instructions", remark: ", the loop around them taken off",
        note: "The loop around them is taken off."),
      [.table(primitiveTable)])
  }

  private func groupSection(_ title: String, _ groups: [Document.Group]) -> Document.Section? {
    groups.isEmpty ? nil : Document.Section(Document.Heading(title), [.groups(groups)])
  }

  private func claimSection(isWhole: Bool) -> Document.Section? {
    guard !verdicts.isEmpty else { return nil }
    let judgements = verdicts.map {
      Document.Judgement(
        name: $0.claim.rawValue, claim: $0.claim.summary, outcome: $0.outcome.text, reason: $0.reason,
        second: $0.kernel?.text)
    }
    let sources = Claim.sources(of: verdicts.map(\.claim)).joined(separator: ", ")
    return Document.Section(
      "The claims of 2018", [.judgements(judgements)] + (isWhole ? [.paragraph("Claimed by \(sources).")] : []))
  }

  private var breakEvenSection: Document.Section? {
    guard breakEven != nil else { return nil }
    let formula = "per entry = base + per write x writes + per exit x exits"
    let lines = winnerLines + crossingLines
    let caption = winnerLines.isEmpty ? nil : "\(winnerTitle):"
    return Document.Section(
      .init("Break-even", remark: ": \(unit) \(formula)", note: "\(unit.capitalised) \(formula)."),
      [.table(modelTable)] + modelCaveats.map { .paragraph(Document.Paragraph($0)) }
        + (lines.isEmpty ? [] : [.list(caption: caption, lines)]))
  }

  private var spreadSection: Document.Section? {
    guard cells.contains(where: \.isMeasured) else { return nil }
    return Document.Section(
      .init(
        "Spread of the samples", remark: ", \(unit) per iteration", note: "\(unit.capitalised) per iteration."),
      (spreadNote.map { [.paragraph(Document.Paragraph($0))] } ?? []) + [.table(spreadTable)])
  }
}
