// The figures of a benchmark as tables with a row for each guest and a column for each policy.

import Measurement
import Registers

extension BenchReport {
  /// The costs of guests with one kernel entry, their ratios to a bare entry, and their exits.
  func policySections(entry: Known<Entry>) -> [Document.Section] {
    let cells = workloadCells.filter { $0.entry == entry }
    return [
      Document.Section(
        .init("Cost per kernel entry (\(entry)) by policy", remark: ", \(unit)", note: "\(unit.capitalised)."),
        [.table(byPolicy("workload", cells) { $0.summary.map { Decimal.cost($0.median) } })]),
      cells.contains { comparison(of: $0) != nil }
        ? Document.Section("The same over a bare entry", [.table(byPolicy("workload", cells, ratioText))]) : nil,
      Document.Section(
        .init(
          "Exits per entry", remark: ", those to the VMM / all that KVM counts",
          note: "Those to the VMM / all that KVM counts."),
        [.table(byPolicy("workload", cells, exitText))]),
    ].compactMap(\.self)
  }

  /// The costs of single instructions under each policy; nil if none was measured.
  var primitivePolicySection: Document.Section? {
    let cells = primitiveCells.filter { $0.workload != .bare }
    guard !cells.isEmpty else { return nil }
    return Document.Section(
      .init(
        "Cost of single instructions by policy", remark: ", \(unit), without the loop around them",
        note: "\(unit.capitalised), without the loop around them."),
      [.table(byPolicy("primitive", cells, netCostText))])
  }

  /// A table with a row for each guest and a column for each policy: the usual policies first, in their order.
  private func byPolicy(_ name: String, _ cells: [Cell], _ figure: (Cell) -> String?) -> Table {
    let measured = cells.map(\.policy).uniqued
    let policies =
      PolicyName.allCases.map(Known.known).filter(measured.contains) + measured.filter { $0.value == nil }
    var table = Table(right: Set(1...max(policies.count, 1)))
    table.add([name] + policies.map(\.text))
    for label in cells.map(\.label).uniqued {
      let row = cells.filter { $0.label == label }
      table.add([label] + policies.map { policy in row.first { $0.policy == policy }.flatMap(figure) ?? "-" })
    }
    return table
  }

  /// A cell's cost over its baseline's.
  private func ratioText(_ cell: Cell) -> String? {
    guard let comparison = comparison(of: cell) else { return isUnknown(.ratio, of: cell) ? "?" : nil }
    return Decimal.ratio(comparison.ratio) + company(in: comparison)
  }

  /// " alone" for a bystander beside a neighbour, which is compared with itself alone, not with a bare entry.
  func company(in comparison: Comparison) -> String {
    cell(comparison.baseline).map { $0.workload == .bare ? "" : " alone" } ?? ""
  }

  private func exitText(_ cell: Cell) -> String? {
    "\(cell.vmmExitsPerEntry.map(Decimal.count) ?? "?")/\(cell.kvmExitsPerEntry.map(Decimal.count) ?? "?")"
  }

  /// A primitive's cost without its loop, or the whole cost where that is not known.
  private func netCostText(_ cell: Cell) -> String? {
    let loop = cell.baselineUse == .subtract ? cell.baseline.flatMap { self.cell($0) } : nil
    guard let net = loop.flatMap({ estimates.difference(cell.record, minus: $0.record) }) else {
      return cell.summary.map { Decimal.cost($0.median) + " with its loop" }
    }
    return net.isCost ? Decimal.cycles(net.difference) : "?"
  }
}
