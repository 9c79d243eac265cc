// C1: a hypervisor trap and a system call each cost about 1000 to 1500 clock cycles.

extension BenchReport.Verdict {
  /// From half of 1000 to twice 1500 cycles.
  static let trapTolerance = 500.0...3000.0

  /// Judges C1.
  ///
  /// Three medians in cycles, each without its loop: the bare entry by the first entry measured, SYSCALL or SYSENTER; a write that KVM ends
  /// (`wrmsr`, else `cpuid`, at place KVM); a write that reaches the VMM (`wrmsr`, else `out`, at place VMM). The claim holds
  /// if all three intervals lie within `trapTolerance`, and does not hold if one lies outside.
  static func ruleC1(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let entry = try evidence.find("an empty kernel entry") {
      $0.workload == "bare" && $0.entry != "none" && $0.neighbour == nil
    }
    guard isSystemCall(entry.entry) else {
      throw Evidence.Missing(reason: "no system call was measured: kernels are entered by \(entry.entry) on this host")
    }
    let light = try primitive("an exit that KVM ends", ["wrmsr", "cpuid"], at: .kvm, evidence)
    let heavy = try primitive("an exit that reaches the VMM", ["wrmsr", "out"], at: .vmm, evidence)
    let findings = [
      try evidence.netCost("kernel entry (\(entry.entry))", entry),
      try evidence.netCost("exit to KVM (\(light.workload))", light),
      try evidence.netCost("exit to the VMM (\(heavy.workload))", heavy),
    ]
    let outcome = findings.outcome(in: trapTolerance)
    let list = findings.map { "\($0.figure.name) \($0.words)" }.joined(separator: ", ")
    let range = "500 to 3000 \(evidence.report.unit)"
    let reason =
      switch outcome {
      case .holds: "all three lie within \(range): \(list)"
      case .doesNotHold: "not all three lie within \(range): \(list)"
      case .cannotBeTested: "an interval lies across the edge of \(range): \(list)"
      }
    return Ruling(outcome: outcome, findings: findings, reason: reason)
  }

  /// Whether this entry is an instruction made for system calls.
  static func isSystemCall(_ entry: String) -> Bool { entry == "syscall" || entry == "sysenter" }

  /// The first of these primitives that was measured with its instruction ending there.
  private static func primitive(
    _ what: String, _ workloads: [String], at place: BenchReport.Cell.Place, _ evidence: Evidence
  ) throws(Evidence.Missing) -> BenchReport.Cell {
    for workload in workloads {
      let matches = { (cell: BenchReport.Cell) in
        cell.workload == workload && cell.entry == "none" && cell.end == place && cell.neighbour == nil
      }
      if let cell = evidence.all(where: matches).first { return cell }
    }
    return try evidence.find(what) {
      workloads.contains($0.workload) && $0.entry == "none" && ($0.end == place || !$0.isMeasured)
    }
  }
}
