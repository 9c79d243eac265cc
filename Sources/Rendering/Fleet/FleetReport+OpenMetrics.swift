// A fleet's figures for a collector of text files.

public import Measurement
import Registers

extension FleetReport {
  /// The attendance, and each class's medians and outliers.
  public var openMetrics: String {
    var text = OpenMetrics()
    text.family(
      "spectrap_fleet_hosts", "Hosts of the fleet, by outcome.",
      [(["state": "measured"], Double(measured))]
        + Absent.Fate.allCases.map { fate in
          (["state": fate.rawValue], Double(absent.count { $0.fate == fate }))
        })
    text.family(
      "spectrap_class_hosts", "Hosts that were measured, by class.",
      classes.map { (["class": $0.name, "host": $0.report.host.cpu.model ?? "?"], Double($0.hosts.count)) })
    text.family(
      "spectrap_class_outliers", "Hosts whose figures stand apart from those of their class.",
      classes.map { (["class": $0.name], Double(Set($0.outliers.map(\.host)).count)) })
    for unit in classes.map(\.report.unit).uniqued {
      text.family(
        "spectrap_cell_\(unit)", "The median over hosts per iteration of a cell, in \(unit).",
        classes.filter { $0.report.unit == unit }.flatMap { group in
          group.report.cells.compactMap { cell in
            cell.summary.map { summary in
              (
                [
                  "class": group.name, "cell": cell.id, "workload": cell.workload.text, "entry": cell.entry.text,
                  "policy": cell.policy.text,
                ], summary.median
              )
            }
          }
        })
    }
    return text.ended
  }
}
