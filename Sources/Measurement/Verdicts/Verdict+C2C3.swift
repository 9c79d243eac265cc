// C2: two trapped writes make every kernel entry and exit about 3 times slower.
// C3: that is still on a par with really writing IBRS each time on hardware that has no IBRS_ALL.

extension BenchReport.Verdict {
  /// A factor of two around 3.
  static let slowdownTolerance = 1.5...6.0
  /// A factor of two around 1.
  static let parTolerance = 0.5...2.0

  /// Judges C2.
  ///
  /// Two ratios: the guest that writes twice at each entry over its bare entry, once with the writes ended by KVM (the
  /// light exit, on the stand-in MSR), once with the writes ended by the VMM. The thread speaks of traps that end inside the
  /// kernel, so the light ratio decides: the claim holds if its interval lies within `slowdownTolerance`. The heavy ratio
  /// stands beside it. Where the kernel is not entered by a system call, the reason says by what.
  static func ruleC2(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let heavy = try? slowdown(at: .vmm, evidence).finding
    let (light, entry): (Evidence.Finding, String)
    do throws(Evidence.Missing) { (light, entry) = try slowdown(at: .kvm, evidence) } catch {
      throw Evidence.Missing(
        reason: error.reason + (heavy.map { "; with the writes ended by the VMM the ratio is \($0.words)" } ?? ""),
        figures: heavy.map { [$0.figure] } ?? [])
    }
    let outcome = [light].outcome(in: slowdownTolerance)
    let aside = heavy.map { ", with the VMM doing so \($0.words)" } ?? ""
    return Ruling(
      outcome: outcome, findings: [light] + (heavy.map { [$0] } ?? []),
      reason: "with KVM ending the two writes an entry costs \(light.words) times a bare one\(aside); "
        + "\(position(outcome)) 1.5 to 6\(isSystemCall(entry) ? "" : "; the kernel was entered by \(entry), not by a system call")"
    )
  }

  private static func slowdown(
    at place: BenchReport.Cell.Place, _ evidence: Evidence
  ) throws(Evidence.Missing) -> (finding: Evidence.Finding, entry: String) {
    let cell = try evidence.find("an entry with two writes that end in \(place.words)") {
      $0.isWriter() && $0.place == place && ($0.writesSpecCtrl || place == .kvm && $0.writesStandIn)
    }
    let name = "two writes ended by \(place.words) / bare"
    return (try evidence.ratio(name, cell, over: evidence.bare(for: cell)), cell.entry)
  }

  /// Judges C3.
  ///
  /// The entry with two trapped writes over the entry with two writes of SPEC_CTRL that reach the hardware, the trap ended by
  /// KVM (which decides) and by the VMM (which stands beside it). The claim holds if the interval lies within
  /// `parTolerance`. It is about hardware without IBRS_ALL and cannot be tested where there is IBRS_ALL.
  static func ruleC3(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let passed = try evidence.find("an entry with two writes of SPEC_CTRL that reach the hardware") {
      $0.isWriter() && $0.place == .hardware && $0.writesSpecCtrl
    }
    let heavy = try? par(at: .vmm, passed, evidence)
    let light: Evidence.Finding
    do throws(Evidence.Missing) { light = try par(at: .kvm, passed, evidence) } catch {
      throw Evidence.Missing(
        reason: error.reason + (heavy.map { "; with the writes ended by the VMM the ratio is \($0.words)" } ?? ""),
        figures: heavy.map { [$0.figure] } ?? [])
    }
    let findings = [light] + (heavy.map { [$0] } ?? [])
    let aside = heavy.map { ", by the VMM \($0.words)" } ?? ""
    let figures = "two writes trapped by KVM cost \(light.words) times two that reach the register\(aside)"
    if evidence.report.host.speculation.hasIBRSAll == true {
      return Ruling(
        outcome: .cannotBeTested, findings: findings,
        reason: "the claim is about hardware without IBRS_ALL and this host has it; here \(figures)")
    }
    let outcome = [light].outcome(in: parTolerance)
    return Ruling(outcome: outcome, findings: findings, reason: "\(figures); \(position(outcome)) 0.5 to 2")
  }

  private static func par(
    at place: BenchReport.Cell.Place, _ passed: BenchReport.Cell, _ evidence: Evidence
  ) throws(Evidence.Missing) -> Evidence.Finding {
    let trapped = try evidence.find("an entry with two writes that end in \(place.words)") {
      $0.isWriter() && $0.place == place && $0.entry == passed.entry
    }
    return try evidence.ratio("two writes ended by \(place.words) / by the hardware", trapped, over: passed)
  }

  private static func position(_ outcome: Outcome) -> String {
    switch outcome {
    case .holds: "KVM's interval lies within"
    case .doesNotHold: "KVM's interval lies outside"
    case .cannotBeTested: "KVM's interval lies across the edge of"
    }
  }
}

extension BenchReport.Cell.Place {
  /// The place as it stands in a sentence.
  var words: String {
    switch self {
    case .hardware: "the hardware"
    case .kvm: "KVM"
    case .vmm: "the VMM"
    case .none: "no place"
    }
  }
}
