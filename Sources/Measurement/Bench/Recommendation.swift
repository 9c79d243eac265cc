// Which policy to use on this host, and why. It follows from the protection of each policy, which was proved, and from
// its cost, which was measured.

public import Registers

/// The recommendation for guests that are told of IBRS_ALL, or for those that are not.
public struct Recommendation: Codable, Equatable, Sendable {
  /// What guests are told determines what they write.
  public enum Situation: String, Codable, CaseIterable, Sendable {
    /// They are told IBRS_ALL: a kernel that knows it writes the register once.
    case toldIBRSAll
    /// They are not: a kernel that uses IBRS writes the register at each entry and exit.
    case notToldIBRSAll
  }

  public let situation: Situation
  /// Null where none can be recommended.
  @Nullable public private(set) var policy: Known<PolicyName>?
  /// How far it protects; null with the policy.
  @Nullable public private(set) var protection: Known<ProtectionLevel>?
  /// Why, without a full stop.
  public let reason: String

  public init(
    _ situation: Situation, policy: Known<PolicyName>? = nil, protection: Known<ProtectionLevel>? = nil, reason: String
  ) {
    self.situation = situation
    self.policy = policy
    self.protection = protection
    self.reason = reason
  }
}

extension Recommendation {
  /// How much more a policy may cost and still count as costing the same: the default precision.
  static let sameCost = 1.02
}

extension BenchRecord {
  /// The recommendation for each kind of guest; empty where the benchmark is not about SPEC_CTRL.
  func recommendations(doubtOfClock: String?) -> [Recommendation] {
    guard msr.isSpecCtrl else { return [] }
    if doubtOfClock != nil {
      return Recommendation.Situation.allCases.map { Recommendation($0, reason: "the clock cannot be believed") }
    }
    return [recommendationForTold, recommendationForUntold]
  }

  private var recommendationForTold: Recommendation {
    switch host.speculation.hasIBRSAll {
    case true?: break
    case false?:
      return Recommendation(
        .toldIBRSAll, reason: "this host has no IBRS_ALL: a guest that is told of it would be unprotected")
    case nil: return Recommendation(.toldIBRSAll, reason: "it is unknown whether this host has IBRS_ALL")
    }
    let candidates = costs(protecting: [.always])
    guard let best = cheapest(candidates, for: \.exiting) else {
      return Recommendation(
        .toldIBRSAll, reason: missing(candidates, "no policy keeps IBRS on whatever the guest writes"))
    }
    let once = best.writesOnce.flatMap(factor).map { "a guest that writes once pays \($0) x a bare entry" }
    let each = best.writer.flatMap(factor).map { "one that writes at each entry \($0) x" }
    let reason = [once, each].compactMap { $0 }.joined(separator: ", ")
    return Recommendation(
      .toldIBRSAll, policy: best.policy, protection: level(of: best.policy),
      reason: reason.isEmpty ? "the cheapest of those that keep IBRS on" : reason)
  }

  private var recommendationForUntold: Recommendation {
    let candidates = costs(protecting: [.always, .guest, .maskedBits])
    let cheapWriters = equals(candidates, for: \.writer)
    guard let best = cheapest(cheapWriters, for: \.exiting) ?? cheapWriters.first else {
      return Recommendation(
        .notToldIBRSAll, reason: missing(candidates, "no policy protects here: offer guests no SPEC_CTRL"))
    }
    let own = best.writer.flatMap(factor).map { "two writes make an entry \($0) x a bare one" }
    let trapping = candidates.first { $0.writer?.place == .vmm && $0.policy != best.policy }
    let other = trapping.flatMap { cost in cost.writer.flatMap(factor).map { "under \(cost.policy) \($0) x" } }
    let barrier =
      (trapping ?? best).writer?.place == .vmm && host.hasBarrierBeforeUserSpace == true
      ? "an IBPB in each exit to the VMM" : nil
    return Recommendation(
      .notToldIBRSAll, policy: best.policy, protection: level(of: best.policy),
      reason: [own, other, barrier].compactMap { $0 }.joined(separator: ", "))
  }

  /// The costs of the policies with one of these levels of protection.
  private func costs(protecting levels: Set<ProtectionLevel>) -> [PolicyCost] {
    policyCosts.filter { level(of: $0.policy)?.value.map(levels.contains) ?? false }
  }

  private func level(of policy: Known<PolicyName>) -> Known<ProtectionLevel>? { host.policies?[policy]?.protects }

  /// Why no policy is recommended: nothing was measured, or `reason`.
  private func missing(_ candidates: [PolicyCost], _ reason: String) -> String {
    let possible = (host.policies ?? [:]).values.contains { $0.protects.map { $0 != .none } ?? false }
    if host.policies == nil { return "it is unknown how far each policy protects here" }
    return candidates.isEmpty && !possible ? reason : "the guests that would decide it were not measured"
  }

  /// The first of those whose guest costs the least.
  private func cheapest(_ costs: [PolicyCost], for guest: KeyPath<PolicyCost, CellRecord?>) -> PolicyCost? {
    equals(costs, for: guest).first
  }

  /// Those whose guest costs the least, within the noise, in their order.
  private func equals(_ costs: [PolicyCost], for guest: KeyPath<PolicyCost, CellRecord?>) -> [PolicyCost] {
    let known = costs.compactMap { cost in
      cost[keyPath: guest].flatMap { cell in cell.median.map { (cost: cost, cell: cell, median: $0) } }
    }.filter { $0.median.isCost }
    guard let least = known.min(by: { $0.median < $1.median }) else { return [] }
    return known.filter { candidate in
      guard candidate.cell.id != least.cell.id else { return true }
      guard let ratio = estimates.ratio(candidate.cell, over: least.cell) else { return false }
      let lower = environment.isExact ? ratio.ratio : ratio.interval.lower
      return lower <= Recommendation.sameCost
    }.map(\.cost)
  }

  /// A guest's entry over a bare one, as text; nil where it is not known.
  private func factor(_ cell: CellRecord) -> String? {
    guard let id = cell.baseline, cell.baselineUse == .divide, let bare = self.cell(id) else { return nil }
    return estimates.ratio(cell, over: bare).map { Decimal.ratio($0.ratio) }
  }
}
