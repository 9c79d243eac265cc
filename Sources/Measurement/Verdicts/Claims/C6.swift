// C6: a guest that cares about performance uses retpolines and does not write the MSR, so it does not care about the
// policy.

import Registers

extension ClaimRule {
  /// The `retpoline` guest under every policy over the same guest under the first of them.
  ///
  /// The claim holds if every interval holds 1 or lies within `noise`, and none reaches beyond `visible`. It does not
  /// hold if one interval leaves out 1 and is not within `noise`; otherwise the intervals are too wide.
  static let c6 = ClaimRule(
    source: .enhancedIBRS, wording: "a guest with retpolines does not care about the policy",
    needs: [.specCtrl, .clockOfTime],
    comparisons: { record in
      let evidence = Evidence(record)
      return evidence.retpoline.map { evidence.others(than: $0).count } ?? 1
    }, judge: { evidence throws(Evidence.Missing) in try judgeC6(evidence, of: "the retpoline guest", isRetpoline) },
    kernel: Kernel(
      comparisons: { record in
        let evidence = Evidence(record)
        return evidence.all(where: isRetpolineKernel).first.map { evidence.others(than: $0).count } ?? 1
      },
      judge: { evidence throws(Evidence.Missing) in
        try judgeC6(evidence, of: "getppid of a kernel with retpolines", isRetpolineKernel)
      }))

  /// The spread that still counts as noise where an interval leaves out 1: the default precision.
  static let noise = 0.98...1.02
  /// Intervals that reach beyond this can hide a spread that matters.
  static let visible = 0.95...1.05

  private static func judgeC6(
    _ evidence: Evidence, of what: String, _ isMeant: (CellRecord) -> Bool
  ) throws(Evidence.Missing) -> Ruling {
    let first = try evidence.find(what, where: isMeant)
    let others = evidence.others(than: first)
    guard !others.isEmpty else {
      throw Evidence.Missing(reason: "\(what) was measured under \(first.policy) alone")
    }
    var findings: [Evidence.Finding] = []
    for other in others {
      findings.append(try evidence.ratio("retpoline \(other.policy) / \(first.policy)", other, over: first))
    }
    let cares = findings.filter { !$0.interval.contains(1) && $0.position(in: noise) != .inside }
    let missing = evidence.record.cells.filter { $0.isLike(first) && !$0.isMeasured }.map(\.policy).uniqued
    let aside = missing.isEmpty ? "" : "; not possible to measure here: \(missing.map(\.text).joined(separator: ", "))"
    let spread =
      "under \(others.map(\.policy.text).joined(separator: ", ")) \(what) costs \(findings.range) times its cost "
      + "under \(first.policy)"
    if !cares.isEmpty {
      let list = cares.map { "\($0.figure.name) \($0.text)" }.joined(separator: ", ")
      return Ruling(
        outcome: .doesNotHold, findings: findings, reason: "the policy is felt beyond the noise: \(list)\(aside)")
    }
    guard findings.allSatisfy({ $0.position(in: visible) == .inside }) else {
      return Ruling(
        outcome: .notDecided, findings: findings, reason: "\(spread); the intervals are too wide to tell\(aside)")
    }
    return Ruling(outcome: .holds, findings: findings, reason: "\(spread), which is within the noise\(aside)")
  }
}

extension ClaimRule {
  fileprivate static func isRetpoline(_ cell: CellRecord) -> Bool {
    cell.workload == .retpoline && cell.neighbour == nil
  }

  fileprivate static func isRetpolineKernel(_ cell: CellRecord) -> Bool { cell.isSystemCall(of: [.retpoline]) }
}

extension Evidence {
  /// The retpoline guest that the others are held against.
  fileprivate var retpoline: CellRecord? { all(where: ClaimRule.isRetpoline).first }

  /// The same guest under the other policies.
  func others(than cell: CellRecord) -> [CellRecord] {
    all { $0.isLike(cell) && $0.policy != cell.policy }
  }
}
