// Cost per entry by policy: one band for each workload, one row with its mark, interval and figure for each policy that
// was measured.

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
      let (median, interval) = (cell.summary?.median ?? 0, cell.shownInterval)
      return [
        "workload": .string(cell.text), "policy": .string(cell.policy.text), "median": .number(median),
        "low": .number(interval.lower), "high": .number(interval.upper), "label": .string(Decimal.cost(median)),
      ]
    }
    let measured = cells.map(\.policy).uniqued
    let policies = PolicyName.allCases.map(Known.known).filter(measured.contains) + measured.filter { $0.value == nil }
    // Each row is named at its axis.
    let series = Series(policies, hasLegend: false)
    let y: JSONValue = [
      "field": "policy", "type": "nominal", "title": nil, "sort": .array(policies.map { .string($0.text) }),
    ]
    let (scale, axis) = logarithmic(cells.map(\.shownInterval).flatMap { [$0.lower, $0.upper] }, room: 0.12)
    func x(_ field: String) -> JSONValue {
      [
        "field": .string(field), "type": "quantitative", "scale": scale, "axis": axis,
        "title": .string("\(report.unit) per kernel entry, logarithmic (median with its 95 % interval)"),
      ]
    }
    return Chart(
      name: "cost-by-policy", title: costTitle(of: report, entry), note: unmeasured(report, policies), of: report,
      data: data,
      [
        "facet": [
          "row": [
            "field": "workload", "type": "nominal", "title": nil,
            "sort": .array(cells.map(\.text).uniqued.map(JSONValue.string)),
            "header": [
              "labelAngle": 0, "labelAlign": "left", "labelOrient": "top", "labelAnchor": "start",
              "labelFontWeight": "bold", "labelPadding": 2, "labelLimit": 600,
            ],
          ]
        ],
        // A workload has rows for the policies under which it was measured, and for no others.
        "resolve": ["scale": ["y": "independent"]], "spacing": 8,
        "spec": [
          "width": 620, "height": ["step": 15],
          "layer": [
            [
              "mark": ["type": "rule", "strokeWidth": 2.5],
              "encoding": ["y": y, "x": x("low"), "x2": ["field": "high"], "color": series.color],
            ],
            [
              "mark": ["type": "point", "filled": true, "size": 70, "opacity": 1],
              "encoding": ["y": y, "x": x("median"), "color": series.color, "shape": series.shape],
            ],
            [
              "mark": ["type": "text", "align": "left", "dx": 8, "fontSize": 11, "color": "#222222"],
              "encoding": ["y": y, "x": x("high"), "text": ["field": "label"]],
            ],
          ],
        ],
      ])
  }

  /// The chart's title, a sentence: the lowest and the highest cost of writing the register at each entry.
  private static func costTitle(of report: BenchReport, _ entry: Known<Entry>) -> String {
    let ratios = report.policyCosts.compactMap { cost -> (policy: String, ratio: Double)? in
      guard let writer = cost.writer, let cell = report.cell(writer.id) else { return nil }
      return report.comparison(of: cell).map { (cost.policy.text, $0.ratio) }
    }
    guard let least = ratios.min(by: { $0.ratio < $1.ratio }), let most = ratios.max(by: { $0.ratio < $1.ratio }) else {
      return "Cost per kernel entry (\(entry)) by policy"
    }
    let first = "Writing IBRS at each entry costs \(Decimal.ratio(least.ratio)) x a bare entry under \(least.policy)"
    return least.policy == most.policy ? first : "\(first), \(Decimal.ratio(most.ratio)) x under \(most.policy)"
  }

  /// A note on the policies that are not drawn; nil if all are.
  private static func unmeasured(_ report: BenchReport, _ drawn: [Known<PolicyName>]) -> String? {
    let absent = report.cells.map(\.policy).uniqued.filter { !drawn.contains($0) }
    return absent.isEmpty ? nil : "Not measured here: \(absent.map(\.text).joined(separator: ", "))."
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
    case .retpoline: exitsPerEntry == 0
    default: true
    }
  }

  /// A description of what its guest does.
  fileprivate var text: String {
    let writes =
      workload == .ibrs
      ? ", 2 writes" + (writesSpecCtrl ? "" : " of \(msr?.value.map { "\($0)" } ?? msr?.text ?? "")") : ""
    let company =
      switch neighbour {
      case .sameCPU: ", writer on the same CPU"
      case .otherCPU: ", writer on another CPU"
      case nil: ""
      }
    return workload.text + writes + company
  }
}
