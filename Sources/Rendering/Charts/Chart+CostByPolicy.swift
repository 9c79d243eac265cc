// Cost per entry by policy: one band for each workload, one mark with its interval for each policy.

import JSONValues
import Measurement
import Registers

extension Chart {
  /// The cost of each workload under each policy, for the first entry measured.
  ///
  /// Each workload has its usual number of writes and exits; the break-even's chart shows the others.
  static func costByPolicy(of report: BenchReport) -> Chart? {
    guard let entry = report.workloadCells.first?.entry else { return nil }
    let cells = report.workloadCells.filter { $0.entry == entry && $0.isTypical && $0.summary?.median.isCost ?? false }
    guard !cells.isEmpty else { return nil }
    let data = cells.map { cell -> JSONValue in
      let interval = cell.shownInterval
      return [
        "workload": .string(cell.text), "policy": .string(cell.policy.text),
        "median": .number(cell.summary?.median ?? 0),
        "low": .number(interval.lower), "high": .number(interval.upper), "place": .string(cell.place.rawValue),
      ]
    }
    let series = Series(cells.map(\.policy).uniqued)
    let y: JSONValue = [
      "field": "workload", "type": "nominal", "title": nil,
      "sort": .array(cells.map(\.text).uniqued.map(JSONValue.string)),
      "axis": ["grid": true, "tickBand": "extent", "labelLimit": 240],
    ]
    let offset: JSONValue = ["field": "policy", "sort": nil, "scale": ["paddingInner": 0.2, "paddingOuter": 0.6]]
    let scale = logarithmic(cells.map(\.shownInterval).flatMap { [$0.lower, $0.upper] })
    func x(_ field: String) -> JSONValue {
      [
        "field": .string(field), "type": "quantitative", "scale": scale, "axis": ["labelSeparation": 6],
        "title": .string("\(report.unit) per kernel entry, logarithmic (median with its 95 % interval)"),
      ]
    }
    let specification = Self.specification(
      title: "Cost per kernel entry (\(entry)) by policy", of: report, data: data,
      [
        "width": 620, "height": ["step": 15],
        "layer": [
          [
            "mark": ["type": "rule", "strokeWidth": 2.5],
            "encoding": [
              "y": y, "yOffset": offset, "x": x("low"), "x2": ["field": "high"], "color": series.color,
            ],
          ],
          [
            "mark": ["type": "point", "filled": true, "size": 70, "opacity": 1],
            "encoding": [
              "y": y, "yOffset": offset, "x": x("median"), "color": series.color, "shape": series.shape,
            ],
          ],
        ],
      ])
    return Chart(name: "cost-by-policy", specification: specification)
  }
}

extension BenchReport.Cell {
  /// The median's interval; where it is missing or has no positive lower bound, the median as both bounds.
  fileprivate var shownInterval: Interval {
    let median = summary?.median ?? 0
    guard let interval = summary?.medianInterval95, interval.lower.isCost, interval.upper.isCost else {
      return Interval(median, median)
    }
    return interval
  }
}

extension CellRecord {
  /// Whether it writes, exits and branches as often as its workload does by default.
  fileprivate var isTypical: Bool {
    guard branches == 0 else { return false }
    return switch workload.value {
    case .ibrs: writesPerEntry == 2 && exitsPerEntry == 0
    case .chatty: exitsPerEntry == 1
    default: true
    }
  }

  /// A description of what its guest does.
  fileprivate var text: String {
    let writes = workload == .ibrs ? ", 2 writes" + (writesSpecCtrl ? "" : " of \(msr?.text ?? "")") : ""
    let company =
      switch neighbour {
      case .sameCPU: ", writer on the same CPU"
      case .otherCPU: ", writer on another CPU"
      case nil: ""
      }
    return workload.text + writes + company
  }
}
