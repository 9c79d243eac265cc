// Parts of a run's report in one line each.

import Measurement
import Registers

extension RunReport.Protection {
  /// The level and its reason.
  var text: String { "\(level.value?.summary ?? level.text); \(reason)" }
}

extension SpeculationView {
  /// The features that are present and those that are missing.
  var text: String {
    let bits = [
      ("SPEC_CTRL", ibrs), ("STIBP", stibp), ("SSBD", ssbd), ("IBPB", ibpb), ("IBRS_ALL", ibrsAll ?? false),
    ]
    let has = bits.filter(\.1).map(\.0)
    let lacks = bits.filter { !$0.1 }.map(\.0)
    let parts = [
      has.joined(separator: ", "),
      lacks.isEmpty ? "" : (lacks.count == 1 ? "no " : "none of ") + lacks.joined(separator: ", "),
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: "; ")
  }
}
