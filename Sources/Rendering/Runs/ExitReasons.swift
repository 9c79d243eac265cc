// KVM's own counts: its statistics that grew, and its reasons for exits.

import Measurement

/// KVM's own counts of a guest, as a person reads them.
struct KVMCounts {
  /// Every statistic that grew; nil where KVM has none.
  var statistics: [String: UInt64]?
  /// The exits by the processor's reason; nil if that was not requested.
  var exitReasons: [String: UInt64]?

  /// The statistics without the count of all exits, which is shown elsewhere, and the reasons; nil if there are none.
  var section: Document.Section? {
    var blocks: [Document.Block] = []
    if let grown = statistics?.filter({ $0.key != "exits" }), !grown.isEmpty {
      let words = Self.byCount(grown.mapValues(Double.init)).map { "\($0) \(grown[$0] ?? 0)" }
      blocks.append(.facts([.init("KVM's statistics", words.joined(separator: ", "))]))
    }
    if let exitReasons {
      var table = Table(right: [1])
      table.add("Exits by KVM's reason", "count")
      for name in Self.byCount(exitReasons.mapValues(Double.init)) { table.add(name, "\(exitReasons[name] ?? 0)") }
      table.add("total", "\(exitReasons.values.reduce(0, &+))")
      blocks.append(.table(table))
    }
    return blocks.isEmpty ? nil : .init(blocks)
  }

  /// The names, the one with the largest count first.
  static func byCount(_ counts: [String: Double]) -> [String] {
    counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
  }
}

extension BenchReport {
  /// The exits of each cell by KVM's reasons, per entry; nil if that was not requested.
  var exitReasonSection: Document.Section? {
    let traced = cells.filter { $0.exitReasonsPerEntry != nil }
    guard !traced.isEmpty else { return nil }
    var table = Table()
    table.add("cell", "exits per entry")
    for cell in traced {
      // Rarer ones are the host's interrupts.
      let reasons = (cell.exitReasonsPerEntry ?? [:]).filter { $0.value >= 0.005 }
      let words = KVMCounts.byCount(reasons).map { "\($0) \(Decimal.count(reasons[$0] ?? 0))" }
      table.add(cell.id, words.isEmpty ? "none" : words.joined(separator: ", "))
    }
    return Document.Section(
      .init(
        "Exits by KVM's reason", remark: ", per entry, of runs that were not timed",
        note: "Per entry, of runs that were not timed."), [.table(table)])
  }
}
