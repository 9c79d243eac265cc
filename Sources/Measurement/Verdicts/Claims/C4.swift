// C4: saving and restoring SPEC_CTRL by hand around guest execution is faster than the list of MSRs that are saved and
// reset automatically at every exit.

import Registers

extension ClaimRule {
  /// Every pair of cells that differ in nothing but the policy, `manual` over `autoload`, and that exit at all: `ibrs`
  /// at some number of writes and exits, `chatty`.
  ///
  /// The claim holds if `manual` is cheaper in some pair and dearer in none, where dearer means that the interval lies
  /// above `noDearer`; it does not hold if `manual` is dearer in some pair, or cheaper in none and every interval lies
  /// within 5 % of 1; otherwise the intervals are too wide to tell.
  static let c4 = ClaimRule(
    source: .enhancedIBRS, wording: "restoring by hand is faster than the automatic list",
    needs: [.specCtrl, .clockOfTime], comparisons: { Evidence($0).listPairs.count }, judge: judgeC4)

  /// How much dearer by hand may be and still not count as dearer: the default precision.
  static let noDearer = 1.02

  @Sendable private static func judgeC4(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    _ = try evidence.find("a guest under manual") { $0.policy == .manual && $0.neighbour == nil }
    _ = try evidence.find("a guest under autoload") { $0.policy == .autoload && $0.neighbour == nil }
    let pairs = evidence.listPairs
    guard !pairs.isEmpty else {
      throw Evidence.Missing(reason: "no guest that exits was measured under both manual and autoload")
    }
    var findings: [Evidence.Finding] = []
    for pair in pairs {
      findings.append(
        try evidence.ratio("\(pair.manual.load) manual / autoload", pair.manual, over: pair.autoload))
    }
    let cheaper = findings.filter { $0.interval.upper < 1 }.count
    let dearer = findings.filter { $0.interval.lower > noDearer }.count
    let counts =
      "by hand is cheaper in \(cheaper) and dearer by more than 2 % in \(dearer) of \(findings.count) "
      + "\(findings.count == 1 ? "pair" : "pairs") (\(findings.range) times the list), both modelled around KVM_RUN"
    let outcome: BenchReport.Verdict.Outcome =
      if dearer > 0 {
        .doesNotHold
      } else if cheaper > 0 {
        .holds
      } else {
        findings.outcome(in: 0.95...1.05) == .holds ? .doesNotHold : .notDecided
      }
    return Ruling(
      outcome: outcome, findings: findings,
      reason: outcome == .notDecided ? "\(counts); the intervals are too wide to tell" : counts)
  }
}

extension Evidence {
  /// The cells that C4 compares.
  fileprivate var listPairs: [(manual: CellRecord, autoload: CellRecord)] {
    all { $0.policy == .manual && $0.neighbour == nil && $0.exits }.compactMap { manual in
      all { $0.policy == .autoload && $0.isLike(manual) }.first.map { (manual, $0) }
    }
  }
}
