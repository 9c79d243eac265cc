// C3: that is still on a par with really writing IBRS each time on hardware that has no IBRS_ALL.

import Registers

extension ClaimRule {
  /// The entry with two trapped writes over the entry with two writes of SPEC_CTRL that reach the hardware, the trap
  /// ended by KVM (which decides) and by the VMM (which stands beside it).
  ///
  /// The claim holds if the interval lies within `parTolerance`.
  static let c3 = ClaimRule(
    source: .enhancedIBRS, wording: "that is on a par with really writing IBRS",
    needs: [.specCtrl, .hardwareWithoutIBRSAll, .clockOfTime], judge: judgeC3, kernel: Kernel(judge: judgeKernelC3))

  /// A factor of two around 1.
  static let parTolerance = 0.5...2.0

  @Sendable private static func judgeC3(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let passed = try evidence.find("an entry with two writes of SPEC_CTRL that reach the hardware") {
      $0.isWriter() && $0.place == .hardware && $0.writesSpecCtrl
    } tried: {
      $0.isWriter() && $0.isToEnd(in: .hardware)
    }
    return try evidence.judgeByLightExit(in: parTolerance) { place throws(Evidence.Missing) in
      let trapped = try evidence.writer(endedBy: place, entry: passed.entry)
      let ratio = try evidence.ratio(
        "two writes ended by \(place.text) / by the hardware", trapped, over: passed)
      return (ratio, trapped)
    } reason: { light, heavy, cell, position in
      let aside = heavy.map { ", by the VMM \($0.text)" } ?? ""
      return "two writes trapped by KVM cost \(light.text) times two that reach the register\(aside); "
        + "\(position) 0.5 to 2; \(cell.whatIsWritten)"
    }
  }

  /// A real kernel's system call with its two writes trapped, over the same with both in the register.
  @Sendable private static func judgeKernelC3(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let trapped = try evidence.trappedSystemCall
    let passed = try evidence.find("the same system call with its writes in the register") {
      $0.isSystemCall(of: [.ibrs]) && $0.place == .hardware && $0.kernel?.mitigation == trapped.kernel?.mitigation
    }
    let ratio = try evidence.ratio(
      "getppid with two writes ended by \(trapped.place.text) / by the hardware", trapped, over: passed)
    return Ruling(
      outcome: [ratio].outcome(in: parTolerance), findings: [ratio],
      reason: "getppid of a kernel that writes IBRS costs \(ratio.text) times as much with its writes trapped to "
        + "\(trapped.place.text) as with the register open; the interval \(ratio.position(in: parTolerance).text) 0.5 to 2"
    )
  }
}
