// The comparison of two benchmarks as a person reads it: the conclusion, the circumstances, then every cell, the worst
// first.

import Glibc
public import Measurement
import Registers

extension ReportComparison {
  /// The comparison as text.
  ///
  /// - Parameters:
  ///   - threshold: cells that became slower by more than this share are marked.
  ///   - bothWays: whether cells that became faster are marked too.
  ///   - verbose: whether parameters and mitigations that differ are listed; otherwise they are counted.
  ///   - width: the columns of the text.
  public func text(
    threshold: Double? = nil, bothWays: Bool = false, verbose: Bool = false, width: Int = Document.usualWidth
  ) -> String {
    document(threshold: threshold, bothWays: bothWays, verbose: verbose).text(width: width)
  }

  /// The comparison as a document.
  public func document(threshold: Double? = nil, bothWays: Bool = false, verbose: Bool = false) -> Document {
    func paragraphs(_ sentences: [String]) -> [Document.Block] { sentences.map { .paragraph(.init($0)) } }
    var sections = [Document.Section(paragraphs(conclusion(threshold: threshold, bothWays: bothWays)))]
    if !environment.isEmpty {
      sections.append(.init("These circumstances differ", [.list(circumstanceLines(verbose: verbose))]))
    }
    if !notes.isEmpty { sections.append(.init(notes.map { .paragraph(.init($0, label: "Note: ")) })) }
    if !cells.isEmpty { sections.append(.init([.table(table(threshold: threshold, bothWays: bothWays))])) }
    sections[sections.count - 1].blocks += absences.map { what, ids in
      .paragraph(.init("\(what): \(ids.joined(separator: ", "))", indent: 2))
    }
    return Document(sections)
  }

  // MARK: Cells

  /// Every cell that has a ratio.
  private func table(threshold: Double?, bothWays: Bool) -> Table {
    var table = Table(right: [1, 2, 3, 4])
    table.add([
      "cell", modes?.first.heading ?? "first", modes?.second.heading ?? "second", "x",
      isExact ? "" : "interval", "",
    ])
    for (change, standing) in worstFirst(threshold ?? 0) {
      let interval = isExact ? nil : change.interval
      let bounds = interval.map { "\(Decimal.text($0.lower, digits: 3)) to \(Decimal.text($0.upper, digits: 3))" }
      table.add([
        change.cell, Decimal.cycles(change.first), Decimal.cycles(change.second),
        Decimal.text(change.ratio, digits: 3), bounds ?? "",
        mark(change, standing, threshold, bothWays),
      ])
    }
    return table
  }

  /// The mark behind a cell's figures.
  private func mark(_ change: CellChange, _ standing: Standing, _ threshold: Double?, _ bothWays: Bool) -> String {
    switch standing {
    case .undecided: "undecided"
    case .slower where threshold != nil: "SLOWER"
    case .faster where threshold != nil && bothWays: "FASTER"
    default: change.differs ? "differs" : ""
    }
  }

  /// The cells with their standing: first those that became slower, then the others; each part by falling ratio.
  private func worstFirst(_ threshold: Double) -> [(change: CellChange, standing: Standing)] {
    cells.map { ($0, standing(of: $0, threshold: threshold)) }.sorted { one, other in
      if (one.1 == .slower) != (other.1 == .slower) { return one.1 == .slower }
      return (one.0.ratio, other.0.cell) > (other.0.ratio, one.0.cell)
    }
  }

  /// The cells without a ratio or a verdict, grouped by reason.
  private var absences: [(what: String, ids: [String])] {
    let lost = lost.map(\.text).uniqued.map { why in
      ("Lost, in the second \(why)", self.lost.filter { $0.text == why }.map(\.cell))
    }
    let void = void.map(\.reason).uniqued.map { why in
      ("Void, \(why)", self.void.filter { $0.reason == why }.map(\.cell))
    }
    let few = cells.filter { undecided.contains($0.cell) && $0.rounds < roundsNeeded }.map(\.cell)
    let rest = [
      ("Undecided, with fewer than \(roundsNeeded) rounds on a side", few),
      ("Undecided, with an interval without bounds", undecided.filter { !few.contains($0) }),
      ("Only in the second", onlyInSecond),
    ]
    return (lost + void + rest).filter { !$0.1.isEmpty }
  }

  // MARK: Circumstances

  /// The circumstances that differ, one line each; parameters and mitigations are counted unless `verbose`.
  public func circumstanceLines(verbose: Bool) -> [String] {
    let shown = environment.filter { verbose || $0.kind == .host }
    let lines = shown.map { "\($0.name): \($0.first) -> \($0.second)" }
    let counts = [(Circumstance.Kind.parameter, "parameter", "of KVM's module"), (.mitigation, "mitigation", "")]
      .compactMap { kind, what, whose -> String? in
        let names = environment.filter { $0.kind == kind && !verbose }.map { $0.name.dropFirst(what.count + 1) }
        guard !names.isEmpty else { return nil }
        let some = names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
        return "\(names.count) \(what)\(names.count == 1 ? "" : "s")\(whose.isEmpty ? "" : " " + whose) (\(some))"
      }
    let rest = counts.isEmpty ? [] : ["\(counts.joined(separator: " and ")); --verbose shows both values"]
    // Text from a file cannot add lines.
    return (lines + rest).map(\.inOneLine)
  }

  // MARK: Conclusion

  /// The conclusion, in sentences.
  private func conclusion(threshold: Double?, bothWays: Bool) -> [String] {
    let modes = modes.map {
      "The first switches SPEC_CTRL \($0.first.value?.summary ?? $0.first.text), the second "
        + "\($0.second.value?.summary ?? $0.second.text)."
    }
    var sentences = [modes, headline(threshold: threshold, bothWays: bothWays)].compactMap(\.self)
    let consequence = threshold == nil ? "." : ", which fails the gate at any threshold."
    func count(_ number: Int, _ what: String) -> String { "\(number) \(number == 1 ? "cell is" : "cells are") \(what)" }
    if !lost.isEmpty { sentences.append(count(lost.count, "lost") + consequence) }
    if !void.isEmpty { sentences.append(count(void.count, "void") + consequence) }
    if judgesSomething, !undecided.isEmpty { sentences.append(count(undecided.count, "undecided") + ".") }
    if let open = openText(threshold: threshold, bothWays: bothWays) { sentences.append(open) }
    if let suspected = suspectText(threshold: threshold, bothWays: bothWays) { sentences.append(suspected) }
    if let shiftText { sentences.append(shiftText) }
    guard judgesSomething else { return sentences }
    sentences.append(
      isExact
        ? "\((unit ?? "ticks").capitalised) per iteration; a count has no noise, so the ratio alone decides."
        : "\((unit ?? "ticks").capitalised) per iteration. The intervals hold for all \(cells.count + void.count) cells at once "
          + "with \(Decimal.percent(confidence)) confidence, and allow for a shift that all cells share."
    )
    return sentences
  }

  /// The first sentence.
  private func headline(threshold: Double?, bothWays: Bool) -> String {
    guard judgesSomething else {
      return cells.isEmpty
        ? "Nothing could be judged: no cell has a ratio."
        : "Nothing could be judged: no cell has an interval and the \(roundsNeeded) rounds in both that "
          + "\(cells.count + void.count) \(cells.count == 1 ? "cell needs" : "cells at once need"). "
          + "Measure with more --rounds or --time."
    }
    let slower = regressions(threshold: threshold ?? 0).filter { threshold != nil || $0.differs }
    let faster = improvements(threshold: threshold ?? 0).filter { threshold != nil || $0.differs }
    let amount = threshold.map { " by more than \(Decimal.percent($0))" } ?? ""
    let worst = slower.max { $0.ratio < $1.ratio }.map { ", at worst \($0.cell) by \(Decimal.percent($0.ratio - 1))" }
    let judged = judgedCount(threshold: threshold, bothWays: bothWays)
    guard judged > 0 else {
      return "None of \(counted(cells.count, "cell")) could be judged at \(Decimal.percent(threshold ?? 0))."
    }
    let all =
      judged == cells.count ? counted(cells.count, "cell") : "the \(counted(judged, "cell")) that could be judged"
    let first = "\(slower.isEmpty ? "None" : "\(slower.count)") of \(all) became slower\(amount)\(worst ?? "")"
    guard threshold == nil || bothWays else { return first + "." }
    return "\(first); \(faster.count) became faster."
  }

  /// A sentence about cells that changed no more than the others; nil for none.
  private var shiftText: String? {
    guard let shift, !shifted.isEmpty else { return nil }
    let change = shift < 1 ? "\(Decimal.percent(1 / shift - 1)) faster" : "\(Decimal.percent(shift - 1)) slower"
    return
      "\(counted(shifted.count, "cell")) changed no more than the others did. All together "
      + "became \(change), because of the machine or of the program: measure both again, in turn."
  }

  /// The cells whose intervals reach across the threshold.
  private func openCells(threshold: Double?, bothWays: Bool) -> [CellChange] {
    guard let threshold else { return [] }
    return cells.filter {
      guard standing(of: $0, threshold: threshold) == .open else { return false }
      return bothWays || $0.interval?.upper ?? 0 > 1 + threshold
    }
  }

  /// How many cells lie clearly on one side of the threshold; without a threshold, how many have an interval.
  private func judgedCount(threshold: Double?, bothWays: Bool) -> Int {
    cells.count - undecided.count - openCells(threshold: threshold, bothWays: bothWays).count
  }

  /// A sentence about cells whose ratio is beyond the threshold, but whose interval is not; nil for none.
  private func suspectText(threshold: Double?, bothWays: Bool) -> String? {
    guard let threshold else { return nil }
    let suspects = suspects(threshold: threshold, bothWays: bothWays)
    guard let worst = suspects.max(by: { abs(log($0.ratio)) < abs(log($1.ratio)) }) else { return nil }
    let one = suspects.count == 1
    let change = bothWays ? "changed" : "slower"
    return
      "\(suspects.count) of the open cells \(one ? "looks" : "look") \(change) by more than "
      + "\(Decimal.percent(threshold)), at worst \(worst.cell) at \(Decimal.ratio(worst.ratio)) times: the gate fails for "
      + "\(one ? "it" : "them"), and more --rounds or --time would decide."
  }

  /// A sentence about cells that a threshold leaves open; nil for none.
  private func openText(threshold: Double?, bothWays: Bool) -> String? {
    let open = openCells(threshold: threshold, bothWays: bothWays)
    guard let threshold, !open.isEmpty else { return nil }
    return
      "\(open.count) \(open.count == 1 ? "cell is" : "cells are") open: "
      + "\(open.count == 1 ? "its interval reaches" : "their intervals reach") beyond \(Decimal.percent(threshold))."
  }
}

extension Known<SpecCtrlMode> {
  /// The mode as a column's heading.
  fileprivate var heading: String {
    switch value {
    case .byHand: "by hand"
    case .lists: "lists"
    case .maskAndShadow: "shadow"
    case nil: text
    }
  }
}

extension ReportComparison.Loss {
  /// The reason of the loss: "void (its witnesses contradict each other)".
  fileprivate var text: String {
    (fate == .notReached ? "not reached" : fate.rawValue) + (reason.map { " (\($0))" } ?? "")
  }
}
