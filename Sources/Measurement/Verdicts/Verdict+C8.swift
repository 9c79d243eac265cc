// C8: hardware that promised "the IBRS bit is a no-op and the protection is always on" would need no trap, no list and no
// conditional restore.

extension BenchReport.Verdict {
  /// Judges C8.
  ///
  /// The guest that writes SPEC_CTRL twice at each entry, under `shadow` over each other policy. The promise is kept only by
  /// hardware that shadows the register itself. There is such hardware (VMX "virtualize IA32_SPEC_CTRL", AMD's V_SPEC_CTRL), but
  /// KVM has no call by which user space could set its mask and shadow, so that the policy `shadow` traps every write and the
  /// claim cannot be tested from here. The figures say what the model of it costs.
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
    return Ruling(
      outcome: .cannotBeTested, findings: findings,
      reason: "KVM gives user space no hardware shadow of the register to use (VMX \"virtualize IA32_SPEC_CTRL\", AMD "
        + "V_SPEC_CTRL), so that shadow stands on a trap to \(shadow.place.words); shadow's cost over that of the others: "
        + list)
  }
}
