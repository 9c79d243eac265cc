// C6: a guest that cares about performance uses retpolines and does not write the MSR, so it does not care about the policy.

extension BenchReport.Verdict {
  /// The spread that still counts as noise where an interval leaves out 1: the default precision.
  static let noise = 0.98...1.02
  /// Intervals that reach beyond this can hide a spread that matters.
  static let visible = 0.95...1.05

  /// Judges C6.
  ///
  /// The `retpoline` guest under every policy over the same guest under the first of them, the confidence shared out over the
  /// ratios (Bonferroni). The claim holds if every interval holds 1 or lies within `noise`, and none reaches beyond
  /// `visible`. It does not hold if one interval leaves out 1 and is not within `noise`; otherwise the intervals are too wide.
  static func ruleC6(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let first = try evidence.find("the retpoline guest") { $0.workload == "retpoline" && $0.neighbour == nil }
    let others = evidence.all { $0.isLike(first) && $0.policy != first.policy }
    guard !others.isEmpty else {
      throw Evidence.Missing(reason: "the retpoline guest was measured under \(first.policy) alone")
    }
    let confidence = 1 - 0.05 / Double(others.count)
    var findings: [Evidence.Finding] = []
    for other in others {
      findings.append(
        try evidence.ratio("retpoline \(other.policy) / \(first.policy)", other, over: first, confidence: confidence))
    }
    let cares = findings.filter { !$0.interval.contains(1) && $0.position(in: noise) != .inside }
    let missing = evidence.report.cells.filter { $0.isLike(first) && !$0.isMeasured }.map(\.policy).uniqued
    let aside = missing.isEmpty ? "" : "; not possible to measure here: \(missing.joined(separator: ", "))"
    let spread =
      "under \(others.map(\.policy).joined(separator: ", ")) the retpoline guest costs \(range(findings)) times its cost "
      + "under \(first.policy)"
    if !cares.isEmpty {
      let list = cares.map { "\($0.figure.name) \($0.words)" }.joined(separator: ", ")
      return Ruling(
        outcome: .doesNotHold, findings: findings, reason: "the policy is felt beyond the noise: \(list)\(aside)")
    }
    guard findings.allSatisfy({ $0.position(in: visible) == .inside }) else {
      return Ruling(
        outcome: .cannotBeTested, findings: findings, reason: "\(spread); the intervals are too wide to tell\(aside)")
    }
    return Ruling(outcome: .holds, findings: findings, reason: "\(spread), which is within the noise\(aside)")
  }
}
