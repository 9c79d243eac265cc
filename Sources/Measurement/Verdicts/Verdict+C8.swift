// C8: hardware that promised "the IBRS bit is a no-op and the protection is always on" would need no trap, no list and no
// conditional restore.

extension BenchReport.Verdict {
  /// How much dearer than its rivals a policy may be and still count as costing no more.
  static let noMore = 1.05

  /// Judges C8.
  ///
  /// The guest that writes SPEC_CTRL twice at each entry, under `shadow` over each other policy. The promise is kept only by
  /// hardware that shadows the register itself, so the claim can be tested only where the writes under `shadow` end in the
  /// hardware. There it holds if `shadow` costs no more than any other policy: no interval lies above `noMore`; it does not
  /// hold if one does. Elsewhere the same figures say what the model of it costs.
  static func ruleC8(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let shadow = try evidence.find("a guest that writes SPEC_CTRL under shadow") {
      $0.policy == "shadow" && $0.isWriter() && $0.writesSpecCtrl
    }
    let others = evidence.all { $0.isLike(shadow) && $0.policy != "shadow" }
    guard !others.isEmpty else {
      throw Evidence.Missing(reason: "the guest that writes SPEC_CTRL was measured under shadow alone")
    }
    let confidence = 1 - 0.05 / Double(others.count)
    var findings: [Evidence.Finding] = []
    for other in others {
      findings.append(
        try evidence.ratio("two writes, shadow / \(other.policy)", shadow, over: other, confidence: confidence))
    }
    let list = zip(others, findings).map { "\($0.policy) \(Decimal.ratio($1.figure.value))" }.joined(separator: ", ")
    let beside = "shadow's cost over that of the others: \(list)"
    guard shadow.place == .hardware else {
      return Ruling(
        outcome: .cannotBeTested, findings: findings,
        reason: "this hardware does not shadow the register, so that shadow stands on a trap to \(shadow.place.words); "
          + beside)
    }
    let outcome: Outcome =
      if findings.contains(where: { $0.interval.lowerBound > noMore }) {
        .doesNotHold
      } else {
        findings.contains { $0.interval.upperBound > noMore } ? .cannotBeTested : .holds
      }
    let width = outcome == .cannotBeTested ? ", the intervals are too wide to tell" : ""
    return Ruling(
      outcome: outcome, findings: findings,
      reason: "the hardware shadows the register without an exit; \(beside)\(width)")
  }
}
