// The cells that a benchmark did not measure: counted in the short report, by id in the long one.

import Measurement
import Registers

extension BenchReport {
  /// The cells that were requested and not measured, grouped by reason, with their ids.
  var absences: [Document.Group] {
    let absent = cells.filter { !$0.isMeasured }.map { (id: $0.id, why: whyAbsent($0)) }
    return absent.map(\.why).uniqued.map { why in
      Document.Group(why, absent.filter { $0.why == why }.map(\.id))
    }
  }

  /// The number of cells that were not measured, for each reason.
  var absenceCounts: [String] {
    let absent = cells.filter { !$0.isMeasured }
    return absent.map(whyAbsent).uniqued.map { why in
      let alike = absent.filter { whyAbsent($0) == why }
      let need = alike.allSatisfy(needsSpecCtrl) ? Self.needOfSpecCtrl(alike.count) : counted(alike.count, "cell")
      return "\(need): \(why)"
    }
  }

  /// The cells that were not measured, in a sentence: "48 cells need SPEC_CTRL, 3 more were not measured.", or nil.
  var absenceSummary: String? {
    let absent = cells.filter { !$0.isMeasured }
    let lacking = absent.count(where: needsSpecCtrl)
    let rest = absent.count - lacking
    let need = lacking > 0 ? Self.needOfSpecCtrl(lacking) : nil
    let others =
      rest > 0
      ? (need == nil ? counted(rest, "cell") : "\(rest) more")
        + (rest == 1 ? " was not measured" : " were not measured")
      : nil
    let parts = [need, others].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: ", ") + "."
  }

  private func whyAbsent(_ cell: Cell) -> String {
    (cell.status == .measured ? "not reached" : cell.status.rawValue) + (cell.reason.map { ", \($0)" } ?? "")
  }

  /// Whether it was not measured because guests have no IA32_SPEC_CTRL here: its policy needs the register, or its
  /// guest writes it.
  private func needsSpecCtrl(_ cell: Cell) -> Bool {
    guard cell.status == .unsupported, host.specCtrlProof?.works == false else { return false }
    return host.policies?[cell.policy]?.works == false || cell.msr == .known(.specCtrl)
  }

  private static func needOfSpecCtrl(_ count: Int) -> String {
    "\(counted(count, "cell")) \(count == 1 ? "needs" : "need") SPEC_CTRL"
  }
}
