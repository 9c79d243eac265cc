// Checks the guest's clock by the cells' figures. A clock that counts neither time nor instructions (such as in an
// emulator that reads it at the start of a block of code) gives figures that look plausible.

extension BenchReport {
  /// The fewest ticks of a kernel entry or an exit and the way back, on any processor.
  ///
  /// An empty SYSCALL and SYSRET take some 60 cycles on the fastest processors; a time-stamp counter may run at less
  /// than half of their rate.
  static let fewestTicksOfEntry = 20.0
  /// How many intervals without width make the clock doubtful.
  private static let fewestCells = 3

  /// Why a clock cannot be counting time, by the cells' figures, without a full stop; nil where no contradiction is
  /// known.
  static func doubtOfClock(_ cells: [Cell]) -> String? {
    let measured = cells.filter(\.isMeasured).compactMap { cell in cell.summary.map { (cell: cell, summary: $0) } }
    if let (cell, summary) = measured.first(where: { $0.summary.medianAtMost <= 0 }) {
      return "\(cell.id) costs \(Decimal.text(summary.median, digits: 1)) ticks, but everything takes time"
    }
    let quick = measured.first { $0.cell.leavesItsRing && $0.summary.medianAtMost < fewestTicksOfEntry }
    if let (cell, summary) = quick {
      return "\(cell.id) takes \(Decimal.text(summary.median, digits: 1)) ticks, and no processor enters its kernel "
        + "and comes back in fewer than \(Decimal.text(fewestTicksOfEntry, digits: 0))"
    }
    let intervals = measured.compactMap(\.summary.medianInterval95)
    let withoutWidth = intervals.count { $0.width == 0 }
    if intervals.count >= fewestCells, 2 * withoutWidth > intervals.count {
      return "\(withoutWidth) of \(intervals.count) intervals have no width, but times always vary"
    }
    return nil
  }
}

extension Distribution {
  /// The upper bound of the median, so that noise alone does not make the clock doubtful.
  fileprivate var medianAtMost: Double { medianInterval95?.upper ?? median }
}

extension CellRecord {
  /// Whether each of its iterations enters the kernel from user mode, or exits to the VMM.
  fileprivate var leavesItsRing: Bool { !isPrimitive || (vmmExitsPerEntry ?? 0) > 0.5 }
}
