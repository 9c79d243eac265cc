// C7: a guest that was told IBRS_ALL cannot be moved to a host without it by leaving IBRS set for ever: the write is
// also a barrier, and running user mode with IBRS=1 is slow. Which moves are allowed is decided elsewhere
// (docs/migration.md); the rule here measures the cost of the fake.

import Registers

extension ClaimRule {
  /// The guests `ibrs` (IBRS is 0 in user mode), `ibrs-forced` (IBRS stays 1, and is written again at each entry, as a
  /// barrier) and `ibrs-all` (written once), where their writes reach the hardware, with and without indirect branches
  /// in user mode.
  ///
  /// The cost that the branches add to an entry decides. The claim holds if they add more to `ibrs-forced` than
  /// `unslowed` times the cost that they add to `ibrs`, whole interval above whole interval. It does not hold if they
  /// add no more. The ratios of whole entries are also reported.
  static let c7 = ClaimRule(
    source: .enhancedIBRS, wording: "a guest told IBRS_ALL cannot move to a host without it",
    needs: [.hardwareVirtualisation, .specCtrl, .hardwareWithoutIBRSAll, .clockOfTime],
    tolerance: "5 %, which count as not slow, because guests with different code cannot be compared more precisely",
    // The costs that the branches add with IBRS set, and without.
    comparisons: { (try? Evidence($0).pair(.ibrsForced)) == nil ? 1 : 2 }, judge: judgeC7)

  /// How much slower user mode may be and still count as not slowed down.
  static let unslowed = 1.05

  @Sendable private static func judgeC7(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let truthful = try evidence.pair(.ibrs)
    let forced = try evidence.pair(.ibrsForced, branches: truthful.branching.branches)
    let count = truthful.branching.branches
    let added = [
      try evidence.difference(
        "\(count) branches in user mode, IBRS=1", forced.branching, minus: forced.plain),
      try evidence.difference(
        "\(count) branches in user mode, IBRS=0", truthful.branching, minus: truthful.plain),
    ]
    var ratios = [
      try evidence.ratio("faked / by hand, no branches", forced.plain, over: truthful.plain),
      try evidence.ratio("faked / by hand, \(count) branches", forced.branching, over: truthful.branching),
    ]
    if let once = try? evidence.pair(.ibrsAll, branches: count) {
      ratios.append(
        try evidence.ratio("faked / written once, \(count) branches", forced.branching, over: once.branching))
    }
    let figures =
      "\(count) indirect branches in user mode add \(added[0].text) with IBRS set, \(added[1].text) without; an entry "
      + "with IBRS_ALL faked costs \(ratios[0].text) times one with IBRS written by hand, "
      + "\(ratios[1].text) times with the branches"
    let bound = { (cost: Double) in cost * unslowed }
    let outcome: BenchReport.Verdict.Outcome =
      if added[0].interval.lower > max(0, bound(added[1].interval.upper)) {
        .holds
      } else {
        added[0].interval.upper <= bound(added[1].interval.lower) ? .doesNotHold : .notDecided
      }
    let width = outcome == .notDecided ? ": the intervals are too wide to tell" : ""
    return Ruling(outcome: outcome, findings: added + ratios, reason: "\(figures)\(width)")
  }
}

extension Evidence {
  /// A guest whose writes of SPEC_CTRL reach the hardware, without and with indirect branches in user mode.
  fileprivate struct Pair {
    let plain: CellRecord
    let branching: CellRecord
  }

  /// The pair of a workload; with as many branches as given, where that is given.
  fileprivate func pair(_ workload: WorkloadName, branches: Int? = nil) throws(Missing) -> Pair {
    func isTried(_ cell: CellRecord) -> Bool {
      cell.workload == workload && cell.policy == .passthrough && !cell.isPrimitive && cell.neighbour == nil
        && cell.writesSpecCtrl && cell.exitsPerEntry == 0 && (workload != .ibrs || cell.writesPerEntry == 2)
    }
    func reaches(_ cell: CellRecord) -> Bool { cell.writesPerEntry == 0 || cell.place == .hardware }
    func branchesEnough(_ cell: CellRecord) -> Bool {
      cell.branches > 0 && (branches == nil || cell.branches == branches)
    }
    let what = "the guest \(workload.rawValue), its writes of SPEC_CTRL reaching the hardware,"
    let branching = try find("\(what) with indirect branches in user mode") {
      isTried($0) && branchesEnough($0) && reaches($0)
    } tried: {
      isTried($0) && branchesEnough($0)
    }
    let isPlain = { (cell: CellRecord) in isTried(cell) && cell.branches == 0 && cell.entry == branching.entry }
    let plain = try find(what, where: { isPlain($0) && reaches($0) }, tried: isPlain)
    return Pair(plain: plain, branching: branching)
  }
}
