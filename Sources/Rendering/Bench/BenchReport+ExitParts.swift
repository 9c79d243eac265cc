// The parts of an exit, as a table.

import Measurement

extension BenchReport {
  /// The parts of an exit; nil where none was measured.
  var exitPartsSection: Document.Section? {
    guard exitParts.count > 1 else { return nil }
    var table = Table(right: [1, 2])
    table.add("part", unit, "95 % interval")
    for part in exitParts { table.add(part.name, Decimal.cost(part.cost), Decimal.costInterval(part.interval)) }
    return Document.Section(Document.Heading("The parts of an exit"), [.table(table)])
  }
}
