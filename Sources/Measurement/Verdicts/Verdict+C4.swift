// C4: saving and restoring SPEC_CTRL by hand around guest execution is faster than the list of MSRs that are saved and reset
// automatically at every exit.

extension BenchReport.Verdict {
  /// How much dearer by hand may be and still not count as dearer: the default precision.
  static let noDearer = 1.02

  /// Judges C4.
  ///
  /// Every pair of cells that differ in nothing but the policy, `manual` over `autoload`, and that exit at all: `ibrs` at
  /// some number of writes and exits, `chatty`. The confidence is shared out over the pairs (Bonferroni). The claim holds if
  /// `manual` is cheaper in some pair and dearer in none, where dearer means that the interval lies above `noDearer`; it does not
  /// hold if `manual` is dearer in some pair, or cheaper in none and every interval lies within 5 % of 1; otherwise the intervals are too wide to tell.
  static func ruleC4(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    _ = try evidence.find("a guest under manual") { $0.policy == "manual" && $0.neighbour == nil }
    _ = try evidence.find("a guest under autoload") { $0.policy == "autoload" && $0.neighbour == nil }
    let pairs = pairsC4(evidence)
    guard !pairs.isEmpty else {
      throw Evidence.Missing(reason: "no guest that exits was measured under both manual and autoload")
    }
    let confidence = 1 - 0.05 / Double(pairs.count)
    var findings: [Evidence.Finding] = []
    for pair in pairs {
      findings.append(
        try evidence.ratio(
          "\(pair.manual.load) manual / autoload", pair.manual, over: pair.autoload, confidence: confidence))
    }
    let cheaper = findings.filter { $0.interval.upperBound < 1 }.count
    let dearer = findings.filter { $0.interval.lowerBound > noDearer }.count
    let counts =
      "by hand is cheaper in \(cheaper) and dearer by more than 2 % in \(dearer) of \(findings.count) "
      + "\(findings.count == 1 ? "pair" : "pairs") (\(range(findings)) times the list), both modelled around KVM_RUN"
    let outcome: Outcome =
      if dearer > 0 {
        .doesNotHold
      } else if cheaper > 0 {
        .holds
      } else {
        findings.outcome(in: 0.95...1.05) == .holds ? .doesNotHold : .cannotBeTested
      }
    return Ruling(
      outcome: outcome, findings: findings,
      reason: outcome == .cannotBeTested ? "\(counts); the intervals are too wide to tell" : counts)
  }

  /// The cells that C4 compares.
  static func pairsC4(_ evidence: Evidence) -> [(manual: BenchReport.Cell, autoload: BenchReport.Cell)] {
    evidence.all { $0.policy == "manual" && $0.neighbour == nil && $0.exits }.compactMap { manual in
      evidence.all { $0.policy == "autoload" && $0.isLike(manual) }.first.map { (manual, $0) }
    }
  }

  /// The smallest and the largest ratio.
  static func range(_ findings: [Evidence.Finding]) -> String {
    let ratios = findings.map(\.figure.value)
    let low = Decimal.ratio(ratios.min() ?? 1)
    let high = Decimal.ratio(ratios.max() ?? 1)
    return low == high ? low : "\(low) to \(high)"
  }
}

extension BenchReport.Cell {
  /// Whether its guest exits at all while it is measured, by the VMM's count where there is one.
  var exits: Bool { vmmExitsPerEntry.map { $0 > 0.5 } ?? (exitsPerEntry > 0) }

  /// Whether it differs from another cell in nothing but the policy.
  func isLike(_ other: Self) -> Bool {
    workload == other.workload && entry == other.entry && msr == other.msr && neighbour == other.neighbour
      && writesPerEntry == other.writesPerEntry && exitsPerEntry == other.exitsPerEntry && branches == other.branches
  }

  /// What its guest does, in a few words.
  var load: String {
    "\(workload)/\(entry) at \(writesPerEntry) writes and \(exitsPerEntry) \(exitsPerEntry == 1 ? "exit" : "exits")"
  }
}
