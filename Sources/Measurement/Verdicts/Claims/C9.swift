// C9: toggling IBRS is 200 cycles, a switch through the kernel 2000 with page-table isolation, an exit 1100; so two
// exits in place of two writes make 3800: "more or less doubling the cost of a system call". Measured on a Haswell.

import Registers

extension ClaimRule {
  /// (E + 2t) / (E + 2w): a system call with page-table isolation in which IBRS is written twice, each write trapped
  /// inside KVM, over the same with both in the register.
  ///
  /// A real kernel with isolation that writes IBRS decides, if one was measured: the cost of its system call with the
  /// register open, and the same plus the extra cost of a small guest's two traps over two writes. Otherwise the entry
  /// `isolated` decides.
  static let c9 = ClaimRule(
    source: .followUp, wording: "two exits more or less double a system call with IBRS",
    needs: [.hardwareVirtualisation, .specCtrl, .clockOfTime],
    tolerance:
      "1.5 to 3 times, because the added cost, \"more or less\" that of the call, is taken to a factor of two",
    comparisons: { Evidence($0).writingKernelCall(isolated: true) == nil ? 1 : 2 }, judge: judgeC9)

  /// A system call and between half and twice the same.
  static let doublingTolerance = 1.5...3.0

  @Sendable private static func judgeC9(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    if let call = evidence.writingKernelCall(isolated: true) {
      let open = try evidence.cost("getppid with its two writes in the register", call)
      let added = try evidence.trapsInPlaceOfWrites()
      let ratio = try Evidence.Finding.raised("getppid with both trapped / open", by: added, over: open)
      return ruling(
        ratio, [open, added.scaled(by: 1, named: "two traps cost more than two writes by")], "a real kernel")
    }
    let writes = try evidence.writes(endedBy: .hardware, by: .isolated)
    let trapped = try evidence.writer(endedBy: .kvm, entry: .known(.isolated))
    let ratio = try evidence.ratio("isolated with both writes trapped / open", trapped, over: writes.writing)
    let costs = [
      try evidence.netCost("an entry with its two writes in the register", writes.writing),
      try evidence.netCost("the same with both trapped", trapped),
    ]
    return ruling(ratio, costs, "the entry isolated")
  }

  private static func ruling(_ ratio: Evidence.Finding, _ costs: [Evidence.Finding], _ what: String) -> Ruling {
    Ruling(
      outcome: [ratio].outcome(in: doublingTolerance), findings: [ratio] + costs,
      reason: "measured with \(what), two traps in place of two writes make a system call \(ratio.text) times slower; "
        + costs.list
    )
  }
}
