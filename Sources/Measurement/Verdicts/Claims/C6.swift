// C6: a guest that cares about performance uses retpolines and does not write the MSR, so it does not care about the
// policy.

import Registers

extension ClaimRule {
  /// The `retpoline` guest, without an exit and with one at each entry: each policy's cost over that of a base policy.
  ///
  /// The base is the first policy that leaves the register to the guest (`passthrough`, `autoload`, `manual`). At least
  /// one policy that does not must have been measured.
  ///
  /// The claim holds if every interval holds 1 or lies within `noise`, and none reaches beyond `visible`. It does not
  /// hold if one interval leaves out 1 and is not within `noise`; otherwise the intervals are too wide.
  static let c6 = ClaimRule(
    source: .enhancedIBRS, wording: "a guest with retpolines does not care about the policy",
    needs: [.hardwareVirtualisation, .specCtrl, .clockOfTime],
    tolerance: "2 %, which count as noise, because a benchmark aims at that precision",
    comparisons: { record in
      let evidence = Evidence(record)
      let pairs = exits.flatMap { exits -> [CellRecord] in
        guard let first = try? evidence.firstOwner(exits: exits) else { return [] }
        return evidence.others(than: first)
      }
      return max(1, pairs.count)
    }, judge: judgeC6,
    kernel: Kernel(
      comparisons: { record in
        let evidence = Evidence(record)
        return evidence.all(where: isRetpolineKernel).first.map { evidence.others(than: $0).count } ?? 1
      },
      judge: { evidence throws(Evidence.Missing) in
        let first = try evidence.find("getppid of a kernel with retpolines", where: isRetpolineKernel)
        var findings: [Evidence.Finding] = []
        for other in evidence.others(than: first) {
          findings.append(try evidence.ratio("getppid \(other.policy) / \(first.policy)", other, over: first))
        }
        guard !findings.isEmpty else {
          throw Evidence.Missing(reason: "a kernel with retpolines was measured under \(first.policy) alone")
        }
        return ruling(findings, missing: [])
      }))

  /// The spread that still counts as noise where an interval leaves out 1: the default precision.
  static let noise = 0.98...1.02
  /// Intervals that reach beyond this can hide a spread that matters.
  static let visible = 0.95...1.05

  /// The numbers of exits at each entry that the rule needs.
  private static let exits = [0, 1]

  @Sendable private static func judgeC6(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    var findings: [Evidence.Finding] = []
    var missing: [Known<PolicyName>] = []
    for count in exits {
      let first = try evidence.firstOwner(exits: count)
      let what = "a retpoline guest with \(counted(count, "exit")) at each entry"
      _ = try evidence.find("\(what), under a policy that does not leave the register to it,") {
        $0.isLike(first) && !$0.leavesRegisterToGuest
      }
      for other in evidence.others(than: first) {
        findings.append(
          try evidence.ratio(
            "with \(counted(count, "exit")) \(other.policy) / \(first.policy)", other, over: first))
      }
      missing += evidence.record.cells.filter { $0.isLike(first) && !$0.isMeasured }.map(\.policy)
    }
    return ruling(findings, missing: missing.uniqued)
  }

  private static func ruling(_ findings: [Evidence.Finding], missing: [Known<PolicyName>]) -> Ruling {
    let cares = findings.filter { !$0.interval.contains(1) && $0.position(in: noise) != .inside }
    let aside = missing.isEmpty ? "" : "; not possible to measure here: \(missing.map(\.text).joined(separator: ", "))"
    if !cares.isEmpty {
      return Ruling(
        outcome: .doesNotHold, findings: findings,
        reason: "the policy changes the cost by more than the noise: \(cares.list)\(aside)")
    }
    let spread = "under one policy it costs \(findings.range) times what it costs under another (\(findings.list))"
    guard findings.allSatisfy({ $0.position(in: visible) == .inside }) else {
      return Ruling(
        outcome: .notDecided, findings: findings, reason: "\(spread); the intervals are too wide to tell\(aside)")
    }
    return Ruling(outcome: .holds, findings: findings, reason: "\(spread), which is within the noise\(aside)")
  }
}

extension ClaimRule {
  fileprivate static func isRetpolineKernel(_ cell: CellRecord) -> Bool { cell.isSystemCall(of: [.retpoline]) }
}

extension Evidence {
  /// The retpoline guest with this many exits under the first policy that leaves the register to it.
  fileprivate func firstOwner(exits: Int) throws(Missing) -> CellRecord {
    try find(
      "a retpoline guest with \(counted(exits, "exit")) at each entry, under a policy that leaves the "
        + "register to it,"
    ) {
      $0.workload == .retpoline && $0.neighbour == nil && $0.exitsPerEntry == exits && $0.leavesRegisterToGuest
    }
  }

  /// The same guest under the other policies.
  func others(than cell: CellRecord) -> [CellRecord] {
    all { $0.isLike(cell) && $0.policy != cell.policy }
  }
}

extension CellRecord {
  /// Whether its policy leaves the register to the guest from its first entry on.
  fileprivate var leavesRegisterToGuest: Bool { policy.value?.leavesRegisterToGuest == true }
}
