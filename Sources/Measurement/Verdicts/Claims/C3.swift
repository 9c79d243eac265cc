// C3: that is still on a par with really writing IBRS each time on hardware that has no IBRS_ALL.

import Registers

extension ClaimRule {
  /// The entry with two writes that KVM ends over the same entry with two writes that reach the register.
  ///
  /// Measured with the entry `isolated`, else another; and computed for the system call of a real kernel that writes
  /// IBRS, with two traps in place of its two writes. If both are known, both are judged. The writes ended by the VMM
  /// are also reported.
  static let c3 = ClaimRule(
    source: .enhancedIBRS, wording: "that is on a par with really writing IBRS",
    needs: [.hardwareVirtualisation, .specCtrl, .hardwareWithoutIBRSAll, .clockOfTime],
    tolerance: "0.5 to 2 times, because an estimate made in a mail is taken to a factor of two",
    comparisons: { Evidence($0).writingKernelCall(isolated: nil) == nil ? 1 : 3 }, judge: judgeC3)

  /// A factor of two around 1.
  static let parTolerance = 0.5...2.0

  @Sendable private static func judgeC3(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let open = try evidence.openWriter()
    let trapped = try evidence.writer(endedBy: .kvm, entry: open.entry)
    var judged = [try evidence.ratio("by the entry \(open.entry)", trapped, over: open)]
    if let call = evidence.writingKernelCall(isolated: nil) {
      judged.append(
        try .raised(
          "getppid of a kernel that writes IBRS", by: try evidence.trapsInPlaceOfWrites(),
          over: try evidence.cost("getppid", call)))
    }
    var beside: [Evidence.Finding] = []
    if let heavy = try? evidence.writer(endedBy: .vmm, entry: open.entry) {
      beside.append(try evidence.ratio("with the VMM ending the writes", heavy, over: open))
    }
    return Ruling(
      outcome: judged.outcome(in: parTolerance), findings: judged + beside,
      reason:
        "the cost with two writes that KVM ends, over that with two that reach the register: "
        + "\(judged.list)\(beside.aside); \(trapped.whatIsWritten)")
  }
}

extension Evidence {
  /// A guest whose two writes of SPEC_CTRL at each entry reach the register, by the entry of 2018 where that was
  /// measured.
  func openWriter() throws(Missing) -> CellRecord {
    if let isolated = try? writer(endedBy: .hardware, entry: .known(.isolated)) { return isolated }
    return try writer(endedBy: .hardware)
  }
}
