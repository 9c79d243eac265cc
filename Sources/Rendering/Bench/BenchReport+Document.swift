// A benchmark as a person reads it: warnings, costs, verdicts, break-even, the spread of the samples.

public import Measurement
import Registers

extension BenchReport {
  /// How much of a result a document shows.
  public enum Detail: Comparable, Sendable {
    /// The tables by policy, the number of cells not measured, the verdicts and the break-even.
    case brief
    /// Also each cell by itself, with its id, its interval and its samples.
    case verbose
    /// Also the interval of each ratio, the figures behind the verdicts and the sources of the claims.
    case whole
  }

  /// The result as text of the usual width.
  public var text: String { document(.verbose).text() }

  /// The result as text of at most `width` columns.
  public func text(width: Int) -> String { document(.verbose).text(width: width) }

  /// The whole result as a page in GitHub's Markdown.
  public var markdown: String { document(.whole).markdown }

  /// The result as a document.
  public func document(_ detail: Detail) -> Document {
    Document(
      title: "spectrap bench",
      [Document.Section([.facts(facts + warnings.map(Document.Fact.warning))])] + costSections(detail)
        + [
          exitPartsSection, exitReasonSection, absenceSection(detail), unknownSection(detail), claimSection(detail),
          detail == .whole ? figureSection : nil, breakEvenSection, host.exitWorkSection,
          detail == .brief ? nil : spreadSection,
        ].compactMap(\.self))
  }

  /// The claims, their verdicts, and the figures behind these.
  package var claimDocument: Document { Document([claimSection(.whole), figureSection].compactMap(\.self)) }

  /// Every table of figures.
  package var tableDocument: Document {
    let rest = [
      absenceSection(.whole), groupSection("Not known, and shown as ?", unknownGroups), breakEvenSection, spreadSection,
    ]
    return Document(costSections(.whole) + rest.compactMap(\.self))
  }

  /// The tables of costs: by policy, then, unless it is to be brief, by cell.
  private func costSections(_ detail: Detail) -> [Document.Section] {
    let entries = workloadCells.map(\.entry).uniqued
    let byCell =
      detail == .brief
      ? entries.compactMap(companySection)
      : entries.map { costSection(entry: $0, detail) } + [primitiveSection].compactMap(\.self)
    return entries.flatMap(policySections) + [primitivePolicySection, kernelSection].compactMap(\.self) + byCell
  }

  private func unknownSection(_ detail: Detail) -> Document.Section? {
    let title = "Not known, and shown as ?"
    guard detail == .brief else { return groupSection(title, unknownGroups) }
    let counts = unknownGroups.map { group -> String in
      let count = group.members.count
      return "\(counted(count, "cell")): \(group.reason)"
    }
    return counts.isEmpty ? nil : Document.Section(Document.Heading(title), [.list(counts)])
  }

  private func absenceSection(_ detail: Detail) -> Document.Section? {
    guard detail == .brief else { return groupSection("Not measured", absences) }
    return absenceCounts.isEmpty ? nil : Document.Section("Not measured", [.list(absenceCounts)])
  }

  private func costSection(entry: Known<Entry>, _ detail: Detail) -> Document.Section {
    let company = companyLines(entry: entry)
    return Document.Section(
      .init(
        "Each cell (\(entry))", remark: ", \(unit); exits per entry as the VMM and KVM count them",
        note: "\(unit.capitalised). Exits per entry as the VMM and KVM count them."),
      [.table(costTable(entry: entry, withIntervals: detail == .whole))]
        + (company.isEmpty ? [] : [.list(caption: Self.companyTitle, company)]))
  }

  /// The costs of bystanders, if the cells are not shown.
  private func companySection(entry: Known<Entry>) -> Document.Section? {
    let company = companyLines(entry: entry)
    return company.isEmpty ? nil : Document.Section([.list(caption: Self.companyTitle, company)])
  }

  private var primitiveSection: Document.Section? {
    guard !primitiveCells.isEmpty else { return nil }
    return Document.Section(
      .init(
        "Each single instruction", remark: ", without the loop around it",
        note: "Without the loop around it."),
      [.table(primitiveTable)])
  }

  private func groupSection(_ title: String, _ groups: [Document.Group]) -> Document.Section? {
    groups.isEmpty ? nil : Document.Section(Document.Heading(title), [.groups(groups)])
  }

  private func claimSection(_ detail: Detail) -> Document.Section? {
    guard !verdicts.isEmpty else { return nil }
    let judgements = verdicts.map {
      Document.Judgement(
        name: $0.claim.rawValue, claim: $0.claim.summary, outcome: $0.outcome, reason: $0.reason,
        second: $0.kernel?.text)
    }
    let sources = Claim.sources(of: verdicts.map(\.claim)).joined(separator: ", ")
    return Document.Section(
      "The claims of 2018", [.judgements(judgements)] + (detail == .whole ? [.paragraph("Claimed by \(sources).")] : [])
    )
  }

  /// The figures behind the verdicts; nil if there are none.
  private var figureSection: Document.Section? {
    var table = Table(right: [2, 3])
    table.add("claim", "figure", "value", "interval", "unit")
    func add(_ figures: [Figure], to claim: Claim, _ whose: String) {
      for figure in figures {
        let isRatio = figure.unit == "x"
        let text = isRatio ? Decimal.ratio : Decimal.cycles
        let bounds = figure.interval.map {
          isRatio ? "\(Decimal.ratio($0.lower)) to \(Decimal.ratio($0.upper))" : Decimal.costInterval($0)
        }
        table.add(claim.rawValue, whose + figure.name, text(figure.value), bounds ?? "-", figure.unit)
      }
    }
    for verdict in verdicts {
      add(verdict.figures, to: verdict.claim, "")
      add(verdict.kernel?.figures ?? [], to: verdict.claim, "a real kernel: ")
    }
    return table.rows.count > 1 ? Document.Section("The figures behind the verdicts", [.table(table)]) : nil
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
