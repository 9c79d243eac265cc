// C1: a hypervisor trap and a system call each cost about 1000 to 1500 clock cycles.

import Registers

extension ClaimRule {
  /// Three medians, each without its loop: the bare entry by the first entry measured; a write that KVM ends (`wrmsr`,
  /// else `cpuid`, at place KVM); a write that reaches the VMM (`wrmsr`, else `out`, at place VMM).
  ///
  /// The claim holds if all three intervals lie within `trapTolerance`, and does not hold if one lies outside.
  static let c1 = ClaimRule(
    source: .enhancedIBRS, wording: "a trap and a system call each cost 1000 to 1500 cycles",
    needs: [.systemCall, .clockOfTime], comparisons: { _ in 3 }, judge: judgeC1)

  /// From half of 1000 to twice 1500 cycles.
  static let trapTolerance = 500.0...3000.0

  @Sendable private static func judgeC1(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let entry = try evidence.find("an empty kernel entry", where: Evidence.isEmptyEntry)
    let light = try primitive("an exit that KVM ends", [.wrmsr, .cpuid], at: .kvm, evidence) {
      $0.workload == .cpuid || $0.writesStandIn
    }
    let heavy = try primitive("an exit that reaches the VMM", [.wrmsr, .out], at: .vmm, evidence) {
      $0.workload == .out || $0.policy != .passthrough
    }
    let findings = [
      try evidence.netCost("kernel entry (\(entry.entry))", entry),
      try evidence.netCost("exit to KVM (\(light.workload))", light),
      try evidence.netCost("exit to the VMM (\(heavy.workload))", heavy),
    ]
    let outcome = findings.outcome(in: trapTolerance)
    let list = findings.map { "\($0.figure.name) \($0.text)" }.joined(separator: ", ")
    let range = "500 to 3000 \(evidence.record.environment.unit)"
    let reason =
      switch outcome {
      case .holds: "all three lie within \(range): \(list)"
      case .doesNotHold: "not all three lie within \(range): \(list)"
      default: "an interval lies across the edge of \(range): \(list)"
      }
    return Ruling(outcome: outcome, findings: findings, reason: reason)
  }

  /// The first of these primitives that was measured with its instruction ending there; `tried` are those that were to
  /// end there.
  private static func primitive(
    _ what: String, _ workloads: [WorkloadName], at place: CellRecord.Place, _ evidence: Evidence,
    tried: (CellRecord) -> Bool
  ) throws(Evidence.Missing) -> CellRecord {
    for workload in workloads {
      let matches = { (cell: CellRecord) in
        cell.workload == workload && cell.isPrimitive && cell.end == place && cell.neighbour == nil
      }
      if let cell = evidence.all(where: matches).first { return cell }
    }
    return try evidence.find(what, where: { _ in false }) {
      ($0.workload.value.map(workloads.contains) ?? false) && $0.isPrimitive && $0.baselineUse == .subtract && tried($0)
    }
  }
}

extension Evidence {
  /// The first empty kernel entry that was measured.
  var emptyEntry: CellRecord? { all(where: Self.isEmptyEntry).first }

  fileprivate static func isEmptyEntry(_ cell: CellRecord) -> Bool {
    cell.workload == .bare && !cell.isPrimitive && cell.neighbour == nil
  }
}
