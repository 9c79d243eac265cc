// C1: a hypervisor trap and a system call each cost about 1000 to 1500 clock cycles.
//
// The thread's trap ends inside KVM. Its system call was that of a kernel of February 2018, which isolated its page
// tables from user mode.

import Registers

extension ClaimRule {
  /// The costs, each without its loop: a trap that KVM ends (half of two writes of SPEC_CTRL that it ends, else the
  /// primitives `wrmsr` or `cpuid`); the empty entry `isolated`; the system call of a real kernel with isolated page
  /// tables, if one was measured.
  ///
  /// The claim holds if the intervals of all lie within `trapTolerance`, and does not hold if one lies outside. An
  /// empty entry without isolation, a kernel without isolation and an exit to the VMM are also reported.
  static let c1 = ClaimRule(
    source: .objection, wording: "a trap and a system call each cost 1000 to 1500 cycles",
    needs: [.hardwareVirtualisation, .clockOfTime],
    tolerance: "500 to 3000 cycles, because an estimate made in a mail is taken to a factor of two",
    comparisons: { _ in 3 }, judge: judgeC1)

  /// From half of 1000 to twice 1500 cycles.
  static let trapTolerance = 500.0...3000.0

  @Sendable private static func judgeC1(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let trap = try trap(evidence)
    let beside = [
      try? evidence.emptyCall.map { cell throws(Evidence.Missing) in
        try evidence.netCost("an empty entry (\(cell.entry))", cell)
      },
      try? evidence.kernelCall(isolated: false).map { cell throws(Evidence.Missing) in
        try evidence.cost("getppid of a kernel without isolated page tables", cell)
      }, try? exitToVMM(evidence),
    ].compactMap { $0 }
    var calls: [Evidence.Finding] = []
    var missing: Evidence.Missing?
    do throws(Evidence.Missing) {
      calls.append(try evidence.netCost("a system call as in 2018 (isolated)", try evidence.isolatedCall()))
    } catch { missing = error }
    if let kernel = evidence.kernelCall(isolated: true) ?? evidence.writingKernelCall(isolated: true) {
      calls.append(try evidence.cost("getppid of a kernel with isolated page tables", kernel))
    }
    guard !calls.isEmpty else {
      throw Evidence.Missing(
        outcome: missing?.outcome ?? .notMeasured,
        reason: "\(missing?.reason ?? "no system call was measured"); measured: \(([trap] + beside).list)",
        figures: ([trap] + beside).map(\.figure))
    }
    let judged = [trap] + calls
    let outcome = judged.outcome(in: trapTolerance)
    let verdict =
      switch outcome {
      case .holds: "all of these lie within the range"
      case .doesNotHold: "not all of these lie within the range"
      default: "an interval lies across the edge of the range"
      }
    return Ruling(
      outcome: outcome, findings: judged + beside, reason: "\(verdict): \(judged.list)\(beside.aside)")
  }

  /// A trap that KVM ends by itself.
  private static func trap(_ evidence: Evidence) throws(Evidence.Missing) -> Evidence.Finding {
    if let traps = try? evidence.twoTraps(), traps.writing.isZeroWriter {
      let both = try evidence.difference("two traps", traps.writing, minus: traps.bare)
      return both.scaled(by: 0.5, named: "a trap that KVM ends (a write of 0 to SPEC_CTRL)")
    }
    let light = try primitive("a trap that KVM ends", [.wrmsr, .cpuid], at: .kvm, evidence) {
      $0.workload == .cpuid || $0.writesStandIn
    }
    let what = light.workload == .cpuid ? "CPUID" : "a write of \(MSR.standIn), which stands in for SPEC_CTRL"
    return try evidence.netCost("a trap that KVM ends (\(what))", light)
  }

  private static func exitToVMM(_ evidence: Evidence) throws(Evidence.Missing) -> Evidence.Finding {
    let heavy = try primitive("an exit that reaches the VMM", [.wrmsr, .out], at: .vmm, evidence) {
      $0.workload == .out || $0.policy != .passthrough
    }
    return try evidence.netCost("an exit to the VMM (\(heavy.workload))", heavy)
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
