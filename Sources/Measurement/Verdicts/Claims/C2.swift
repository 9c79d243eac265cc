// C2: two trapped writes make every kernel entry and exit about 3 times slower.

import Registers

extension ClaimRule {
  /// (E + 2t) / E, where t is a light exit and E an entry.
  ///
  /// It is measured for the entry `isolated`, and computed for the system call of a real kernel with isolated page
  /// tables. If both are known, both are judged.
  ///
  /// Also reported are an empty entry without isolation, a kernel without isolation, the same with the writes ended by
  /// the VMM, and the entry for which the ratio is 3: one that costs as much as a light exit. Only system calls count
  /// as entries.
  static let c2 = ClaimRule(
    source: .objection, wording: "two trapped writes make an entry about 3 times slower",
    needs: [.hardwareVirtualisation, .clockOfTime],
    tolerance:
      "2 to 5 times, because the cost of two traps, twice the entry, is an estimate and taken to a factor of two",
    // Two intervals make the kernel's figure.
    comparisons: { Evidence($0).kernelCall(isolated: true) == nil ? 1 : 3 }, judge: judgeC2)

  /// An entry and between one and four times the same.
  static let slowdownTolerance = 2.0...5.0

  @Sendable private static func judgeC2(_ evidence: Evidence) throws(Evidence.Missing) -> Ruling {
    let beside = besideC2(evidence)
    var judged: [Evidence.Finding] = []
    var missing: Evidence.Missing?
    do throws(Evidence.Missing) {
      _ = try evidence.isolatedCall()
      judged.append(try ratio("as in 2018 (isolated)", .isolated, endedBy: .kvm, evidence))
    } catch { missing = error }
    if let call = evidence.kernelCall(isolated: true) {
      do throws(Evidence.Missing) {
        judged.append(try computed("getppid of a kernel with isolated page tables", call, evidence))
      } catch { missing = missing ?? error }
    }
    guard !judged.isEmpty else {
      throw Evidence.Missing(
        outcome: missing?.outcome ?? .notMeasured,
        reason: (missing?.reason ?? "no system call of 2018 was measured")
          + (beside.isEmpty ? "" : "; measured: \(beside.list)"),
        figures: beside.map(\.figure))
    }
    let outcome = judged.outcome(in: slowdownTolerance)
    let written = (try? evidence.twoTraps()).map { "; \($0.writing.whatIsWritten)" } ?? ""
    return Ruling(
      outcome: outcome, findings: judged + beside,
      reason:
        "two writes that KVM ends make a system call slower by these factors: \(judged.list)\(beside.aside)\(written)")
  }

  /// The entries without isolation, the exits to the VMM, and the entry for which the ratio is 3.
  private static func besideC2(_ evidence: Evidence) -> [Evidence.Finding] {
    var beside: [Evidence.Finding] = []
    if let empty = evidence.emptyCall?.entry.value {
      beside += [try? ratio("an empty entry (\(empty.rawValue))", empty, endedBy: .kvm, evidence)].compactMap { $0 }
    }
    if let call = evidence.kernelCall(isolated: false) {
      beside +=
        [try? computed("getppid of a kernel without isolated page tables", call, evidence)].compactMap { $0 }
    }
    for entry in [Entry.isolated, evidence.emptyCall?.entry.value].compactMap({ $0 }) {
      let heavy = try? ratio("with the VMM ending the writes (\(entry.rawValue))", entry, endedBy: .vmm, evidence)
      beside += [heavy].compactMap { $0 }
    }
    if let traps = try? evidence.twoTraps(),
      let both = try? evidence.difference("two traps", traps.writing, minus: traps.bare)
    {
      beside.append(both.scaled(by: 0.5, named: "for 3 times, an entry of"))
    }
    return beside
  }

  private static func ratio(
    _ name: String, _ entry: Entry, endedBy place: CellRecord.Place, _ evidence: Evidence
  ) throws(Evidence.Missing) -> Evidence.Finding {
    let writes = try evidence.writes(endedBy: place, by: entry)
    return try evidence.ratio(name, writes.writing, over: writes.bare)
  }

  /// The factor by which a small guest's two traps would slow down a real kernel's system call.
  private static func computed(
    _ name: String, _ call: CellRecord, _ evidence: Evidence
  ) throws(Evidence.Missing) -> Evidence.Finding {
    let traps = try evidence.twoTraps()
    return try .raised(
      name, by: try evidence.difference("two traps", traps.writing, minus: traps.bare),
      over: try evidence.cost("getppid", call))
  }
}
