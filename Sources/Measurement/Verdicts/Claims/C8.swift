// C8: hardware that promised "the IBRS bit is a no-op and the protection is always on" would need no trap, no list and
// no conditional restore.

import Registers

extension ClaimRule {
  /// The guest that writes SPEC_CTRL twice at each entry, under `shadow` over each other policy.
  ///
  /// The claim holds where shadow is dearer than none of them, and does not hold where an interval lies above
  /// `noDearer`. It needs hardware that shadows the register: elsewhere the policy `shadow` traps, and the figures say
  /// what the model of it costs.
  static let c8 = ClaimRule(
    source: .enhancedIBRS, wording: "hardware keeping IBRS on needs no trap, list or restore",
    needs: [.specCtrl, .hardwareShadow, .clockOfTime],
    comparisons: { record in
      let evidence = Evidence(record)
      return evidence.shadow.map { evidence.others(than: $0).count } ?? 1
    }, judge: judgeC8)

  @Sendable private static func judgeC8(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let shadow = try evidence.find("a guest that writes SPEC_CTRL under shadow", where: Evidence.isShadow)
    let others = evidence.others(than: shadow)
    guard !others.isEmpty else {
      throw Evidence.Missing(reason: "the guest that writes SPEC_CTRL was measured under shadow alone")
    }
    var findings: [Evidence.Finding] = []
    for other in others {
      findings.append(try evidence.ratio("two writes, shadow / \(other.policy)", shadow, over: other))
    }
    let list = zip(others, findings).map { "\($0.policy) \(Decimal.ratio($1.figure.value))" }.joined(separator: ", ")
    let outcome = findings.outcome(in: -Double.infinity...noDearer)
    return Ruling(
      outcome: outcome, findings: findings,
      reason: "shadow's cost over that of the others: \(list)"
        + (outcome == .notDecided ? "; the intervals are too wide to tell" : ""))
  }
}

extension Evidence {
  fileprivate static func isShadow(_ cell: CellRecord) -> Bool {
    cell.policy == .shadow && cell.isWriter() && cell.writesSpecCtrl
  }

  /// The guest that writes SPEC_CTRL under `shadow`.
  var shadow: CellRecord? { all(where: Self.isShadow).first }
}
