// Cost against writes, one panel for each number of exits: models are lines, cells are marks with their figures,
// break-evens are vertical lines.

import JSONValues
import Measurement
import Registers

extension Chart {
  /// The points of a model's line, which is curved on a logarithmic axis.
  private static let steps = 48

  /// The cost of an entry by its writes, for each number of exits; nil without a break-even.
  ///
  /// Policies whose models cost the same everywhere, to 2 %, share one line.
  static func breakEven(of report: BenchReport) -> Chart? {
    guard let breakEven = report.breakEven else { return nil }
    let cells = breakEven.models.flatMap(\.fittedOn).compactMap { report.cell($0) }
    let mostWrites = Double(cells.map(\.writesPerEntry).max() ?? 0)
    let exits = Set(cells.filter { $0.workload == .ibrs }.map(\.exitsPerEntry)).sorted()
    guard mostWrites > 0, !exits.isEmpty else { return nil }
    let groups = ModelGroup.all(of: breakEven.models, exits: exits, mostWrites: mostWrites)
    var data: [JSONValue] = []
    var costs: [Double] = []
    for count in exits {
      for group in groups {
        for step in 0...steps {
          let writes = mostWrites * Double(step) / Double(steps)
          let cost = group.model.cost(writes: writes, exits: Double(count))
          guard cost.isCost else { continue }
          costs.append(cost)
          data.append(point("model", group.name, count, writes, cost))
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
    let marks = cells.filter { exits.contains($0.exitsPerEntry) && $0.summary?.median.isCost ?? false }
    for guest in marks.map({ [$0.exitsPerEntry, $0.writesPerEntry] }).uniqued {
      let alike = marks.filter { $0.exitsPerEntry == guest[0] && $0.writesPerEntry == guest[1] }
      let sides = labelSides(of: alike.map { $0.summary?.median ?? 0 })
      for (cell, side) in zip(alike, sides) {
        guard let cost = cell.summary?.median, let group = groups.first(where: { $0.policies.contains(cell.policy) })
        else { continue }
        costs.append(cost)
        data.append(point("measured", group.name, guest[0], Double(guest[1]), cost, side: side))
      }
    }
    return Chart(
      name: "break-even", title: title(of: breakEven, report.unit, exits: exits[0]),
      note: notDrawn(breakEven, report), of: report, data: data,
      [
        "facet": [
          "field": "exits", "type": "ordinal", "title": "exits per entry, besides those of the MSR",
        ],
        "columns": 2,
        "spec": ["width": 330, "height": 260, "layer": .array(layers(groups, costs, report.unit))],
        // One scale for all, and its labels at every panel.
        "resolve": ["scale": ["x": "shared", "y": "shared"], "axis": ["x": "independent", "y": "independent"]],
      ])
  }

  private static func point(
    _ kind: String, _ policy: String, _ exits: Int, _ writes: Double, _ cost: Double, side: LabelSide = .none
  ) -> JSONValue {
    [
      "kind": .string(kind), "policy": .string(policy), "exits": .integer(Int128(exits)),
      "writes": .number(writes), "cycles": .number(cost), "label": .string(Decimal.cost(cost)),
      "side": .string(side.rawValue),
    ]
  }

  /// The position of a mark's figure.
  private enum LabelSide: String { case above, below, none }

  /// The positions of the figures of one guest's marks: the highest above its mark, the lowest below; of the others,
  /// those that are far from their neighbours, above.
  private static func labelSides(of costs: [Double]) -> [LabelSide] {
    let sorted = costs.indices.sorted { costs[$0] < costs[$1] }
    var sides = costs.map { _ in LabelSide.none }
    for (rank, index) in sorted.enumerated() {
      let isFarAbove = rank == 0 || costs[index] > 1.25 * costs[sorted[rank - 1]]
      let isFarBelow = rank == sorted.count - 1 || costs[sorted[rank + 1]] > 1.25 * costs[index]
      if rank == sorted.count - 1 || isFarAbove && isFarBelow { sides[index] = .above }
      if rank == 0, sorted.count > 1 { sides[index] = .below }
    }
    return sides
  }

  /// The chart's title, a sentence: which policy costs the least for how many writes.
  private static func title(of breakEven: BreakEven, _ unit: String, exits: Int) -> String {
    let winners = breakEven.winners.filter { $0.exits == exits }.map { winner in
      let names = ([winner.policy] + winner.equals).map(\.text).joined(separator: ", ")
      return winner.to.map { "\(names) up to \(Decimal.text($0, digits: 1)) writes" } ?? names
    }
    guard !winners.isEmpty else { return "Cost against writes per entry; no policy is known to cost the least" }
    let guest = exits == 0 ? "a guest that does not exit" : "\(counted(exits, "exit")) per entry"
    return "For \(guest) these cost the least: \(winners.joined(separator: ", then "))"
  }

  /// How to read the chart, which policies it leaves out, and why.
  private static func notDrawn(_ breakEven: BreakEven, _ report: BenchReport) -> String {
    let drawn = breakEven.models.map(\.policy)
    var notes = ["Lines: the fitted model. Marks: measurements. Dotted vertical lines: the cheapest policy changes."]
    if report.workloadCells.contains(where: { $0.policy == .adaptive }), !drawn.contains(where: { $0 == .adaptive }) {
      notes.append("adaptive is not drawn: it has no cost of its own for a write, but takes one side or the other.")
    }
    let few = breakEven.leftOut.filter { $0 != .adaptive }
    if !few.isEmpty {
      notes.append(
        "Not drawn, because too few of the same guests were measured: \(few.map(\.text).joined(separator: ", ")).")
    }
    return notes.joined(separator: " ")
  }

  private static func layers(_ groups: [ModelGroup], _ costs: [Double], _ unit: String) -> [JSONValue] {
    let x: JSONValue = [
      "field": "writes", "type": "quantitative", "title": "writes of the MSR per entry",
      "axis": ["tickMinStep": 1, "format": "d"],
    ]
    let (scale, axis) = logarithmic(costs)
    let y: JSONValue = [
      "field": "cycles", "type": "quantitative", "scale": scale, "axis": axis,
      "title": .string("\(unit) per entry, logarithmic"),
    ]
    let series = Series("policy", groups.map(\.name), like: groups.map(\.policies[0]))
    func figures(_ side: LabelSide, _ offset: Int128) -> JSONValue {
      [
        "transform": [["filter": .string("datum.side === '\(side.rawValue)'")]],
        "mark": ["type": "text", "align": "center", "dy": .integer(offset), "fontSize": 10, "color": "#222222"],
        "encoding": ["x": x, "y": y, "text": ["field": "label"]],
      ]
    }
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
      figures(.above, -9), figures(.below, 11),
    ]
  }
}

/// Policies whose models cost the same.
private struct ModelGroup {
  /// The first policy's.
  let model: BreakEven.Model
  var policies: [Known<PolicyName>]

  var name: String { policies.map(\.text).joined(separator: " = ") }

  /// The groups, in the order of the models.
  static func all(of models: [BreakEven.Model], exits: [Int], mostWrites: Double) -> [Self] {
    // Costs are linear: models that agree at the corners agree between them.
    var corners: [(writes: Double, exits: Double)] = []
    for exits in [exits.min() ?? 0, exits.max() ?? 0] {
      for writes in [0, mostWrites] { corners.append((writes, Double(exits))) }
    }
    func coincide(_ one: BreakEven.Model, _ other: BreakEven.Model) -> Bool {
      corners.allSatisfy { corner in
        let costs = [one, other].map { $0.cost(writes: corner.writes, exits: corner.exits) }
        return costs[0].isCost && costs[1].isCost && costs[0] <= 1.02 * costs[1] && costs[1] <= 1.02 * costs[0]
      }
    }
    var groups: [Self] = []
    for model in models {
      if let index = groups.firstIndex(where: { coincide($0.model, model) }) {
        groups[index].policies.append(model.policy)
      } else {
        groups.append(Self(model: model, policies: [model.policy]))
      }
    }
    return groups
  }
}
