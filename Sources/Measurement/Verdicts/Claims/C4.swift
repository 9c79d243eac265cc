// C4: saving and restoring SPEC_CTRL by hand around guest execution is faster than the list of MSRs that are saved and
// reset automatically at every exit.
//
// KVM itself does both, and a host uses one of them at a time (spec_ctrl_mode), so two results of one host decide the
// claim. Within one result, two policies model both around KVM_RUN.

import Registers

extension ClaimRule {
  /// Each guest that exits and owns its register (`ibrs` at some number of writes and exits, `chatty`; under
  /// `passthrough`): KVM by hand over KVM with VMX's lists.
  ///
  /// Instruction counts do not decide it: they show KVM's own code per exit, and the lists are microcode.
  ///
  /// Where only one of them was measured, the model: the same guests under `manual` over `autoload`. The claim holds if
  /// by hand is faster in some pair and slower in none, where slower means that the interval lies above `noSlower`; it
  /// does not hold if by hand is slower in some pair, or faster in none and every interval lies within 5 % of 1;
  /// otherwise the intervals are too wide to tell.
  static let c4 = ClaimRule(
    source: .enhancedIBRS, wording: "restoring by hand is faster than the automatic list",
    needs: [.hardwareVirtualisation, .specCtrl, .hardwareLists, .clockOfTime],
    tolerance: "slower in each guest by at most 2 %, because a benchmark aims at that precision",
    isAboutPaths: true, comparisons: { max(Evidence($0).modePairs.count, Evidence($0).modelPairs.count) },
    judge: judgeC4)

  /// How much slower something may be and still not count as slower: the default precision.
  static let noSlower = 1.02

  @Sendable private static func judgeC4(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let pairs = evidence.modePairs
    if !pairs.isEmpty {
      var findings: [Evidence.Finding] = []
      for pair in pairs {
        findings.append(try evidence.ratio("\(pair.hand.load) by hand / lists", pair.hand, acrossRuns: pair.lists))
      }
      var ruling = ruling(findings, "KVM's own code and VMX's lists")
      if evidence.record.environment.isExact { ruling.ownCode = try ownCode(pairs, evidence) }
      return ruling
    }
    guard !evidence.record.modes.contains(.lists) else {
      throw Evidence.Missing(
        reason: "KVM by hand was not measured: give a result of this host with spec_ctrl_mode=0 to --other-mode")
    }
    _ = try evidence.find("a guest under manual") { $0.policy == .manual && $0.neighbour == nil }
    _ = try evidence.find("a guest under autoload") { $0.policy == .autoload && $0.neighbour == nil }
    guard !evidence.modelPairs.isEmpty else {
      throw Evidence.Missing(reason: "no guest that exits was measured under both manual and autoload")
    }
    var findings: [Evidence.Finding] = []
    for pair in evidence.modelPairs {
      findings.append(try evidence.ratio("\(pair.hand.load) manual / autoload", pair.hand, over: pair.lists))
    }
    return ruling(findings, "both modelled around KVM_RUN, two ioctls against four")
  }

  /// How many instructions KVM's own code takes per exit.
  private static func ownCode(_ pairs: [Evidence.Pair], _ evidence: Evidence) throws(Evidence.Missing) -> String {
    var more: [Double] = []
    for pair in pairs {
      let costs = try evidence.instructions([(.byHand, pair.hand), (.lists, pair.lists)])
      // A bystander has one exit.
      more.append((costs[0] - costs[1]) / Double(max(1, pair.hand.exitsPerEntry)))
    }
    let isFewer = more.allSatisfy { $0 < 0 }
    if isFewer { more = more.map(-) }
    let fewest = Decimal.text(more.min() ?? 0, digits: 0)
    let most = Decimal.text(more.max() ?? 0, digits: 0)
    return
      "KVM's own code takes \(fewest == most ? fewest : "\(fewest) to \(most)") \(isFewer ? "fewer" : "more") instructions per "
      + "exit by hand than with the lists, in \(counted(pairs.count, "pair")); the lists themselves are microcode, as are "
      + "RDMSR and WRMSR, which an instruction count does not include: cycles on bare metal decide"
  }

  private static func ruling(_ findings: [Evidence.Finding], _ what: String) -> Ruling {
    let faster = findings.filter { $0.interval.upper < 1 }.count
    let slower = findings.filter { $0.interval.lower > noSlower }.count
    let counts =
      "by hand is faster in \(faster) and slower by more than 2 % in \(slower) of \(findings.count) "
      + "\(findings.count == 1 ? "pair" : "pairs") (\(findings.range) times the list; \(what))"
    let outcome: BenchReport.Verdict.Outcome =
      if slower > 0 {
        .doesNotHold
      } else if faster > 0 {
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
  fileprivate typealias Pair = (hand: CellRecord, lists: CellRecord)

  /// The same guests in both of KVM's ways.
  fileprivate var modePairs: [Pair] {
    guard let byHand = record.measured(in: .byHand), let lists = record.measured(in: .lists) else { return [] }
    return Evidence(byHand).all { $0.policy == .passthrough && $0.neighbour == nil && $0.exits && $0.kernel == nil }
      .compactMap { hand in lists.cell(hand.id).flatMap { $0.isMeasured ? (hand, $0) : nil } }
  }

  /// The same guests in the models of both.
  fileprivate var modelPairs: [Pair] {
    all { $0.policy == .manual && $0.neighbour == nil && $0.exits }.compactMap { manual in
      all { $0.policy == .autoload && $0.isLike(manual) }.first.map { (manual, $0) }
    }
  }
}
