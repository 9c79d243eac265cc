// C8: hardware that promised "the IBRS bit is a no-op and the protection is always on" would need no trap, no list and
// no conditional restore.
//
// The nearest to it are VMX's mask and shadow, which kvm-intel uses with spec_ctrl_mode=2, and AMD's V_SPEC_CTRL, which
// KVM uses for every guest that has the register.

import Registers

extension ClaimRule {
  /// The guest that writes SPEC_CTRL twice at each entry.
  ///
  /// With VMX's mask and shadow: under `shadow` over each other policy. With V_SPEC_CTRL: under `passthrough`, where
  /// that is in use, over the policies that intercept.
  ///
  /// The claim holds where it is slower than none of them, and does not hold where an interval lies above `noSlower`.
  /// Elsewhere the policy `shadow` traps, and the figures say what the model costs.
  static let c8 = ClaimRule(
    source: .enhancedIBRS, wording: "hardware keeping IBRS on needs no trap, list or restore",
    needs: [.hardwareVirtualisation, .specCtrl, .hardwareShadow, .clockOfTime],
    tolerance: "slower than each other policy by at most 2 %, because a benchmark aims at that precision",
    isAboutPaths: true,
    comparisons: { record in
      let evidence = Evidence(record)
      return max(1, (try? evidence.shadowed()).map { evidence.rivals(of: $0).count } ?? 1)
    }, judge: judgeC8)

  @Sendable private static func judgeC8(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let shadowed = try evidence.shadowed()
    let rivals = evidence.rivals(of: shadowed)
    guard !rivals.isEmpty else {
      throw Evidence.Missing(
        reason:
          "the guest that writes SPEC_CTRL was measured under \(shadowed.policy) and under no policy to compare with")
    }
    var findings: [Evidence.Finding] = []
    for rival in rivals {
      findings.append(try evidence.ratio("two writes, \(shadowed.policy) / \(rival.policy)", shadowed, over: rival))
    }
    let list = zip(rivals, findings).map { "\($0.policy) \(Decimal.ratio($1.figure.value))" }.joined(separator: ", ")
    let outcome = findings.outcome(in: -Double.infinity...noSlower)
    let how =
      evidence.record.host.usesVirtualSpecCtrl
      ? "passthrough uses AMD's V_SPEC_CTRL, and its cost over that of the policies that intercept is"
      : "the cost of \(shadowed.policy) over that of the others is"
    return Ruling(
      outcome: outcome, findings: findings,
      reason: "\(how) \(list)" + (outcome == .notDecided ? "; the intervals are too wide to tell" : ""))
  }
}

extension Evidence {
  /// The guest that writes SPEC_CTRL, on the hardware shadow where there is one.
  fileprivate func shadowed() throws(Missing) -> CellRecord {
    let (policy, place): (PolicyName, CellRecord.Place?) =
      if record.host.usesVirtualSpecCtrl {
        (.passthrough, .hardware)
      } else {
        (.shadow, record.host.specCtrlMode?.value == .maskAndShadow ? .hardware : nil)
      }
    let isTried = { (cell: CellRecord) in cell.policy == policy && cell.isWriter() && cell.writesSpecCtrl }
    return try find("a guest that writes SPEC_CTRL under \(policy.rawValue)") {
      isTried($0) && (place == nil || $0.place == place)
    } tried: {
      isTried($0)
    }
  }

  /// The cells that the shadowed one is compared with.
  fileprivate func rivals(of cell: CellRecord) -> [CellRecord] {
    others(than: cell).filter { !record.host.usesVirtualSpecCtrl || $0.place == .vmm }
  }
}
