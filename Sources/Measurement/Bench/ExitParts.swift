// The parts of an exit: differences of single instructions that each do one thing more.

import Registers

/// A part of an exit, and its cost.
public struct ExitPart: Equatable, Sendable {
  public let name: String
  /// In the clock's unit.
  public let cost: Double
  public let interval: Interval
}

extension BenchReport {
  /// The parts that were measured, the shortest way first.
  public var exitParts: [ExitPart] {
    func cell(_ workload: WorkloadName, _ end: CellRecord.Place) -> CellRecord? {
      record.cells.first {
        $0.isMeasured && $0.workload == workload && $0.isPrimitive && $0.end == end && $0.baselineUse == .subtract
      }
    }
    func part(_ name: String, _ cell: CellRecord?, minus other: CellRecord?) -> ExitPart? {
      guard let cell, let other, let found = estimates.difference(cell, minus: other) else { return nil }
      let interval = environment.isExact ? Interval(found.difference, found.difference) : found.interval
      return ExitPart(name: name, cost: found.difference, interval: interval)
    }
    func loop(_ cell: CellRecord?) -> CellRecord? { cell?.baseline.flatMap { record.cell($0) } }
    let (light, out) = (cell(.cpuid, .kvm), cell(.out, .vmm))
    return [
      part("an exit that KVM ends (CPUID)", light, minus: loop(light)),
      part("an exit to user space (OUT)", out, minus: loop(out)),
      part("a second one right after it", cell(.outTwice, .vmm), minus: out),
      part("a KVM_RUN that enters no guest (immediate_exit)", cell(.outInterrupted, .vmm), minus: out),
    ].compactMap { $0 }
  }
}
