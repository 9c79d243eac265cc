// Cost against writes, one panel for each number of exits: models are lines, cells are marks, break-evens are vertical
// lines.

import JSONValues
import Measurement
import Registers

extension Chart {
  /// The points of a model's line, which is curved on a logarithmic axis.
  private static let steps = 48

  /// The cost of an entry by its writes, for each number of exits; nil without a break-even.
  static func breakEven(of report: BenchReport) -> Chart? {
    guard let breakEven = report.breakEven else { return nil }
    let cells = breakEven.models.flatMap(\.fittedOn).compactMap { report.cell($0) }
    let mostWrites = Double(cells.map(\.writesPerEntry).max() ?? 0)
    let exits = Set(cells.filter { $0.workload == .ibrs }.map(\.exitsPerEntry)).sorted()
    guard mostWrites > 0, !exits.isEmpty else { return nil }
    let policies = breakEven.models.map(\.policy)
    var data: [JSONValue] = []
    var costs: [Double] = []
    for count in exits {
      for model in breakEven.models {
        for step in 0...steps {
          let writes = mostWrites * Double(step) / Double(steps)
          let cost = model.cost(writes: writes, exits: Double(count))
          guard cost.isCost else { continue }
          costs.append(cost)
          data.append(point("model", model.policy, count, writes, cost))
        }
      }
      for winner in breakEven.winners where winner.exits == count {
        if let to = winner.to, to <= mostWrites {
          data.append([
            "kind": "break-even", "exits": .integer(Int128(count)), "writes": .number(to),
            "label": .string("\(Decimal.text(to, digits: 1))\(winner.toInterval.text(digits: 1)) writes"),
          ])
        }
      }
    }
    for cell in cells where exits.contains(cell.exitsPerEntry) {
      guard let cost = cell.summary?.median, cost.isCost else { continue }
      costs.append(cost)
      data.append(point("measured", cell.policy, cell.exitsPerEntry, Double(cell.writesPerEntry), cost))
    }
    let specification = Self.specification(
      title: "Cost against writes per entry, and the break-even",
      note: "Lines: the fitted model. Marks: measurements. Dotted vertical lines: the cheapest policy changes.",
      of: report, data: data,
      [
        "facet": [
          "field": "exits", "type": "ordinal", "title": "exits per entry, besides those of the MSR",
        ],
        "columns": 2,
        "spec": ["width": 330, "height": 260, "layer": .array(layers(policies, costs, report.unit))],
        "resolve": ["scale": ["x": "shared", "y": "shared"]],
      ])
    return Chart(name: "break-even", specification: specification)
  }

  private static func point(
    _ kind: String, _ policy: Known<PolicyName>, _ exits: Int, _ writes: Double, _ cost: Double
  ) -> JSONValue {
    [
      "kind": .string(kind), "policy": .string(policy.text), "exits": .integer(Int128(exits)),
      "writes": .number(writes),
      "cycles": .number(cost),
    ]
  }

  private static func layers(_ policies: [Known<PolicyName>], _ costs: [Double], _ unit: String) -> [JSONValue] {
    let x: JSONValue = ["field": "writes", "type": "quantitative", "title": "writes of the MSR per entry"]
    let y: JSONValue = [
      "field": "cycles", "type": "quantitative", "scale": logarithmic(costs), "axis": ["labelSeparation": 4],
      "title": .string("\(unit) per entry, logarithmic"),
    ]
    let series = Series(policies)
    let only = { (kind: String) -> JSONValue in [["filter": .string("datum.kind === '\(kind)'")]] }
    return [
      [
        "transform": only("break-even"),
        "mark": ["type": "rule", "strokeDash": [2, 3], "color": "#333333"], "encoding": ["x": x],
      ],
      [
        "transform": only("break-even"),
        "mark": ["type": "text", "align": "left", "dx": 4, "dy": 8, "fontSize": 12, "color": "#333333"],
        "encoding": ["x": x, "y": ["value": 0], "text": ["field": "label"]],
      ],
      [
        "transform": only("model"), "mark": ["type": "line", "strokeWidth": 1.8],
        "encoding": ["x": x, "y": y, "color": series.color, "strokeDash": series.dash],
      ],
      [
        "transform": only("measured"), "mark": ["type": "point", "filled": true, "size": 55, "opacity": 1],
        "encoding": ["x": x, "y": y, "color": series.color, "shape": series.shape],
      ],
    ]
  }
}
