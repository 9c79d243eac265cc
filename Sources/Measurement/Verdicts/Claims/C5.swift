// C5: a conditional restore in the exit path taxes every guest, where trap-and-emulate taxes only the guest that
// writes.
//
// The thread's restore is in KVM's own exit path and runs at the exits of every guest, whatever the policy. A host
// shows its cost only if its KVM has another mode without it (spec_ctrl_mode).

import Registers

extension ClaimRule {
  /// The bystander `chatty`, which exits and never writes the MSR.
  ///
  /// Two parts: with KVM's conditional restore (by hand) it costs more than with VMX's mask and shadow, or its lists:
  /// the ratio's interval lies above 1 and reaches `noSlower`; and under `emulate` it does not cost more than under
  /// `passthrough` in the other mode. Both parts make the claim hold; a part that is refuted makes it not hold. Where
  /// KVM was measured in one mode alone, the model: under `manual`, and under `emulate`, over `passthrough`, alone and
  /// beside a guest that writes. The reason names the register's values at the exits.
  static let c5 = ClaimRule(
    source: .enhancedIBRS, wording: "a restore at exits taxes all guests, emulation the writer",
    needs: [.hardwareVirtualisation, .specCtrl, .severalModes, .clockOfTime],
    tolerance: "2 %, which count as no tax, because a benchmark aims at that precision", isAboutPaths: true,
    comparisons: { 2 + Evidence($0).neighboursOfBystanders.count }, judge: judgeC5)

  @Sendable private static func judgeC5(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    if let modes = evidence.modesOfBystander {
      let restored = try evidence.ratio(
        "bystander by hand / \(modes.what)", modes.restored, acrossRuns: modes.free)
      let emulated = try evidence.ratio(
        "bystander under emulate / passthrough with \(modes.what)", modes.emulated, acrossRuns: modes.free)
      var ruling = Taxes(
        restored: restored, emulated: emulated, how: "KVM's conditional restore", values: evidence.valuesMet
      ).ruling
      if evidence.record.environment.isExact {
        let costs = try evidence.instructions([
          (.byHand, modes.restored), (modes.mode, modes.free), (modes.mode, modes.emulated),
        ]).map(Decimal.cost)
        ruling.ownCode =
          "a bystander's entry with its exit takes \(costs[0]) instructions with KVM's conditional restore, \(costs[1]) with "
          + "\(modes.what), and \(costs[2]) there under emulate; the restore's RDMSR and WRMSR are microcode, which an "
          + "instruction count does not include: cycles on bare metal decide; \(evidence.valuesMet)"
      }
      return ruling
    }
    var taxes = Taxes(
      restored: try tax(.manual, evidence), emulated: try tax(.emulate, evidence), how: "the policy manual",
      values: evidence.valuesMet)
    taxes.listed = try? tax(.autoload, evidence)
    for neighbour in evidence.neighboursOfBystanders {
      do throws(Evidence.Missing) {
        taxes.beside.append(try tax(.emulate, beside: neighbour, evidence))
      } catch { taxes.unknown.append(error.reason) }
    }
    return taxes.ruling
  }

  /// The cost of a guest that never writes, with a restore at its exits, and with emulated writes.
  private struct Taxes {
    let restored: Evidence.Finding
    let emulated: Evidence.Finding
    /// The code or policy that restores the register.
    let how: String
    let values: String
    var listed: Evidence.Finding?
    /// Under emulate, beside each neighbour.
    var beside: [Evidence.Finding] = []
    /// Why figures beside a neighbour are not known.
    var unknown: [String] = []

    var ruling: Ruling {
      let findings = [restored, emulated] + (listed.map { [$0] } ?? []) + beside
      let taxedByEmulate = ([emulated] + beside).filter { $0.interval.lower > noSlower }
      let figures = "with \(how) a bystander costs \(restored.text) times as much, under emulate \(emulated.text)"
      let outcome: BenchReport.Verdict.Outcome
      let reason: String
      if !taxedByEmulate.isEmpty {
        (outcome, reason) = (
          .doesNotHold, "emulate taxes a bystander, too: \(taxedByEmulate.list); \(how) \(restored.text)"
        )
      } else if restored.interval.upper < noSlower {
        (outcome, reason) = (.doesNotHold, "\(figures): the restore does not tax it")
      } else if !unknown.isEmpty {
        (outcome, reason) = (.notDecided, "\(figures); \(unknown.joined(separator: "; "))")
      } else if restored.interval.lower > 1, emulated.interval.upper <= noSlower {
        (outcome, reason) = (.holds, figures)
      } else {
        (outcome, reason) = (.notDecided, "\(figures): the intervals are too wide to tell")
      }
      return Ruling(outcome: outcome, findings: findings, reason: "\(reason); \(values)")
    }
  }

  /// The cost of a bystander under a policy, over its cost under passthrough, both beside the same neighbour.
  private static func tax(
    _ policy: PolicyName, beside neighbour: CellRecord.Neighbour? = nil, _ evidence: Evidence
  ) throws(Evidence.Missing) -> Evidence.Finding {
    let company = neighbour.map { " beside a neighbour (\($0.rawValue))" } ?? ""
    let free = try evidence.find("the bystander under passthrough\(company)") {
      $0.workload == .chatty && $0.policy == .passthrough && $0.neighbour == neighbour
    }
    let taxed = try evidence.find("the bystander under \(policy.rawValue)\(company)") {
      $0.policy == policy && $0.isLike(free)
    }
    return try evidence.ratio("bystander\(company) \(policy.rawValue) / passthrough", taxed, over: free)
  }
}

extension Evidence {
  /// The neighbours beside which the bystander was measured both under passthrough and under emulate.
  fileprivate var neighboursOfBystanders: [CellRecord.Neighbour] {
    CellRecord.Neighbour.allCases.filter { neighbour in
      all { $0.workload == .chatty && $0.policy == .passthrough && $0.neighbour == neighbour }.first
        .map { free in all { $0.policy == .emulate && $0.isLike(free) }.count > 0 } ?? false
    }
  }

  /// The bystander with KVM's restore, without it, and without it under emulate; nil where one is missing.
  fileprivate var modesOfBystander:
    (restored: CellRecord, free: CellRecord, emulated: CellRecord, mode: SpecCtrlMode, what: String)?
  {
    func bystander(_ record: BenchRecord?, _ policy: PolicyName) -> CellRecord? {
      record.flatMap { Evidence($0).all { $0.workload == .chatty && $0.policy == policy && $0.neighbour == nil }.first }
    }
    guard let restored = bystander(record.measured(in: .byHand), .passthrough) else { return nil }
    for mode in [SpecCtrlMode.maskAndShadow, .lists] {
      let other = record.measured(in: mode)
      if let free = bystander(other, .passthrough), let emulated = bystander(other, .emulate) {
        return (restored, free, emulated, mode, mode == .lists ? "VMX's lists" : "VMX's mask and shadow")
      }
    }
    return nil
  }

  /// The bystander's and the host's values of the register, between which its exits switch, in words.
  fileprivate var valuesMet: String {
    let host = record.host.hostSpecCtrl
    let kept = host?.kept.map { $0.hex } ?? "0x0"
    let values = "the bystander's SPEC_CTRL is 0x0 under passthrough and manual, \(kept) under emulate"
    guard let host else { return "\(values), and the host does not report its own value" }
    return "\(values), and the host's \(host.value.hex)"
      + (host.value == 0 ? "" : ": under passthrough the two differ, so that is not a baseline without a restore")
  }
}
