// C5: a conditional restore in the exit path taxes every guest, where trap-and-emulate taxes only the guest that
// writes.

import Registers

extension ClaimRule {
  /// The bystander `chatty`, which never writes the MSR.
  ///
  /// Two parts: under `manual` (the conditional restore) it costs more than under `passthrough`: the ratio's interval
  /// lies above 1 and reaches `untaxed`; and under `emulate` it does not: the interval of emulate / passthrough does
  /// not reach above `untaxed`, and beside the same neighbour it does not lie above. Both parts make the claim hold; a
  /// part that is refuted makes it not hold. A neighbour whose ratio is not known leaves the claim open. The ratio for
  /// `autoload` stands beside them.
  static let c5 = ClaimRule(
    source: .enhancedIBRS, wording: "a restore at exits taxes all guests, emulation the writer",
    needs: [.specCtrl, .clockOfTime], comparisons: { 2 + Evidence($0).neighboursOfBystanders.count },
    judge: judgeC5, kernel: Kernel(comparisons: { _ in 2 }, judge: judgeKernelC5))

  /// How much dearer a bystander may be and still count as untaxed: the default precision.
  static let untaxed = 1.02

  @Sendable private static func judgeC5(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    var taxes = Taxes(
      who: "a bystander", restored: try tax(.manual, evidence), emulated: try tax(.emulate, evidence),
      listed: try? tax(.autoload, evidence))
    for neighbour in evidence.neighboursOfBystanders {
      do throws(Evidence.Missing) {
        taxes.beside.append(try tax(.emulate, beside: neighbour, evidence))
      } catch { taxes.unknown.append(error.reason) }
    }
    return taxes.ruling
  }

  /// The system call of a real kernel that never writes: it is no bystander that exits often, but every guest's part is
  /// in it.
  @Sendable private static func judgeKernelC5(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let free = try evidence.find("the system call of a kernel that does not write the register, under passthrough") {
      $0.isSystemCall(of: [.off, .retpoline]) && $0.policy == .passthrough
    }
    func tax(_ policy: PolicyName) throws(Evidence.Missing) -> Evidence.Finding {
      let taxed = try evidence.find("the same under \(policy.rawValue)") { $0.policy == policy && $0.isLike(free) }
      return try evidence.ratio("getppid \(policy.rawValue) / passthrough", taxed, over: free)
    }
    let taxes = Taxes(
      who: "getppid of a kernel that does not write", restored: try tax(.manual), emulated: try tax(.emulate),
      listed: try? tax(.autoload))
    return taxes.ruling
  }

  /// What a guest that never writes costs under each policy over its cost under passthrough.
  private struct Taxes {
    let who: String
    let restored: Evidence.Finding
    let emulated: Evidence.Finding
    let listed: Evidence.Finding?
    /// Under emulate, in company.
    var beside: [Evidence.Finding] = []
    /// What of that is not known, and why.
    var unknown: [String] = []

    var ruling: Ruling {
      let findings = [restored, emulated] + (listed.map { [$0] } ?? []) + beside
      let taxedByEmulate = ([emulated] + beside).filter { $0.interval.lower > untaxed }
      let figures =
        "\(who) under manual costs \(restored.text) times what it costs under passthrough, under emulate \(emulated.text)"
      let outcome: BenchReport.Verdict.Outcome
      let reason: String
      if !taxedByEmulate.isEmpty {
        outcome = .doesNotHold
        let worst = taxedByEmulate.map { "\($0.figure.name) \($0.text)" }.joined(separator: ", ")
        reason = "emulate taxes \(who), too: \(worst); manual \(restored.text)"
      } else if restored.interval.upper < untaxed {
        outcome = .doesNotHold
        reason = "\(figures): the restore does not tax it"
      } else if !unknown.isEmpty {
        outcome = .notDecided
        reason = "\(figures); \(unknown.joined(separator: "; "))"
      } else if restored.interval.lower > 1, emulated.interval.upper <= untaxed {
        outcome = .holds
        reason = figures
      } else {
        outcome = .notDecided
        reason = "\(figures): the intervals are too wide to tell"
      }
      return Ruling(outcome: outcome, findings: findings, reason: reason)
    }
  }

  /// What a bystander costs under a policy, over what it costs under passthrough in the same company.
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
}
