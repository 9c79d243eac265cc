// C2: two trapped writes make every kernel entry and exit about 3 times slower.

import Registers

extension ClaimRule {
  /// Two ratios: the guest that writes twice at each entry over its bare entry, once with the writes ended by KVM (the
  /// light exit: of 0 to SPEC_CTRL itself, or of the stand-in), once with the writes ended by the VMM.
  ///
  /// The thread speaks of traps that end inside the kernel, so the light ratio decides: the claim holds if its interval
  /// lies within `slowdownTolerance`. The heavy ratio stands beside it. Where the kernel is not entered by a system
  /// call, the reason says by what.
  static let c2 = ClaimRule(
    source: .enhancedIBRS, wording: "two trapped writes make an entry about 3 times slower", needs: [.clockOfTime],
    judge: judgeC2, kernel: Kernel(judge: judgeKernelC2))

  /// A factor of two around 3.
  static let slowdownTolerance = 1.5...6.0

  @Sendable private static func judgeC2(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    try evidence.judgeByLightExit(in: slowdownTolerance) { place throws(Evidence.Missing) in
      let cell = try evidence.writer(endedBy: place)
      let ratio = try evidence.ratio(
        "two writes ended by \(place.text) / bare", cell, over: try evidence.bare(for: cell))
      return (ratio, cell)
    } reason: { light, heavy, cell, position in
      let aside = heavy.map { ", with the VMM doing so \($0.text)" } ?? ""
      let caveat = cell.entry.isSystemCall ? "" : "; the kernel was entered by \(cell.entry), not by a system call"
      return "with KVM ending the two writes an entry costs \(light.text) times a bare one\(aside); "
        + "\(position) 1.5 to 6\(caveat); \(cell.whatIsWritten)"
    }
  }
}

extension ClaimRule {
  /// A real kernel's system call with its two writes trapped, over that of a kernel that does not write.
  @Sendable private static func judgeKernelC2(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let trapped = try evidence.trappedSystemCall
    let plain = try evidence.find("the system call of a kernel that does not write the register") {
      $0.isSystemCall(of: [.off, .retpoline, .eibrs]) && $0.policy == .passthrough
    }
    let ratio = try evidence.ratio(
      "getppid with two writes ended by \(trapped.place.text) / of a kernel that writes none", trapped, over: plain)
    return Ruling(
      outcome: [ratio].outcome(in: slowdownTolerance), findings: [ratio],
      reason:
        "with \(trapped.place.text) ending the two writes, getppid costs \(ratio.text) times what it costs in a kernel "
        + "that does not write (\(plain.kernel?.taken?.text ?? "")); the interval "
        + "\(ratio.position(in: slowdownTolerance).text) 1.5 to 6")
  }
}

extension Evidence {
  /// The system call of a real kernel that writes IBRS at each entry and exit, with those writes trapped: by KVM where
  /// it does that, else by the VMM.
  var trappedSystemCall: CellRecord {
    get throws(Missing) {
      let tried = all { $0.isSystemCall(of: [.ibrs]) }
      if let light = tried.first(where: { $0.place == .kvm }) { return light }
      return try find("the system call of a kernel that writes IBRS, with its writes trapped") {
        $0.isSystemCall(of: [.ibrs]) && $0.place == .vmm
      } tried: {
        $0.isSystemCall && $0.policy == .emulate
      }
    }
  }
}

extension Evidence {
  /// The guest whose two writes at each entry end there.
  ///
  /// Where KVM ends them they are of SPEC_CTRL itself, if it traps a guest that writes only 0; else of the stand-in.
  func writer(endedBy place: CellRecord.Place, entry: Known<Entry>? = nil) throws(Missing) -> CellRecord {
    let fits = { (cell: CellRecord) in entry == nil || cell.entry == entry }
    if place == .kvm, let zero = all(where: { $0.isZeroWriter && $0.place == .kvm && fits($0) }).first { return zero }
    return try find("an entry with two writes that end in \(place.text)") {
      $0.isWriter() && $0.place == place && ($0.writesSpecCtrl || place == .kvm && $0.writesStandIn) && fits($0)
    } tried: {
      $0.isWriter() && $0.isToEnd(in: place) && fits($0)
    }
  }
}

extension CellRecord {
  /// Whether its guest writes only 0 to SPEC_CTRL, twice at each entry.
  fileprivate var isZeroWriter: Bool { workload == .ibrsZero && !isPrimitive && neighbour == nil && writesSpecCtrl }

  /// What a guest writes whose writes KVM ends, in words.
  var whatIsWritten: String {
    writesStandIn
      ? "KVM ends writes of \(MSR.standIn), which stands in for the register"
      : "KVM ends writes of 0 to the register itself"
  }

  /// Whether a guest that writes is there for writes that end in this place.
  func isToEnd(in place: Place) -> Bool {
    switch place {
    case .hardware: writesSpecCtrl && policy == .passthrough
    case .kvm: writesStandIn
    case .vmm: writesSpecCtrl && policy == .emulate
    case .none: false
    }
  }
}

extension Evidence {
  /// Judges by the ratio with the writes ended by KVM; the one with the writes ended by the VMM stands beside it.
  func judgeByLightExit(
    in tolerance: ClosedRange<Double>,
    ratio: (CellRecord.Place) throws(Missing) -> (finding: Finding, cell: CellRecord),
    reason: (_ light: Finding, _ heavy: Finding?, _ cell: CellRecord, _ position: String) -> String
  ) throws(Missing) -> Ruling {
    let heavy = try? ratio(.vmm).finding
    let light: (finding: Finding, cell: CellRecord)
    do throws(Missing) { light = try ratio(.kvm) } catch {
      throw Missing(
        outcome: error.outcome,
        reason: error.reason + (heavy.map { "; with the writes ended by the VMM the ratio is \($0.text)" } ?? ""),
        figures: heavy.map { [$0.figure] } ?? [])
    }
    let position = "KVM's interval \(light.finding.position(in: tolerance).text)"
    return Ruling(
      outcome: [light.finding].outcome(in: tolerance), findings: [light.finding] + (heavy.map { [$0] } ?? []),
      reason: reason(light.finding, heavy, light.cell, position))
  }
}
