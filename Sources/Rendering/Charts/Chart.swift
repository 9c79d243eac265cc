// Charts of a benchmark as Vega-Lite 5 specifications (https://vega.github.io/schema/vega-lite/v5.json), with their
// data. Each series has a colour and also a shape or a dash, so that the charts can be read in grey.

public import JSONValues
public import Measurement
import Registers

/// A chart of a benchmark.
public struct Chart: Equatable, Sendable {
  /// The name of its file, without an extension.
  public var name: String
  /// The specification, to be encoded as JSON.
  public var specification: JSONValue

  /// All charts for which a benchmark has data.
  public static func all(of report: BenchReport) -> [Chart] {
    [costByPolicy(of: report), latency(of: report), breakEven(of: report)].compactMap { $0 }
  }

  /// A specification with the parts that all charts share: title, host, data, fonts and colours.
  static func specification(
    title: String, note: String? = nil, of report: BenchReport, data: [JSONValue], _ parts: [String: JSONValue]
  ) -> JSONValue {
    var members = parts
    members["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
    members["title"] = [
      "text": .string(title),
      "subtitle": .array((subtitle(of: report) + (note.map { [$0] } ?? [])).map(JSONValue.string)), "anchor": "start",
      "fontSize": 15, "subtitleFontSize": 12,
    ]
    members["data"] = ["values": .array(data)]
    members["background"] = "white"
    members["config"] = [
      "axis": ["labelFontSize": 12, "titleFontSize": 12, "gridColor": "#e4e4e4"],
      "legend": ["labelFontSize": 12, "titleFontSize": 12, "symbolSize": 130, "labelLimit": 340],
      "header": ["labelFontSize": 12, "titleFontSize": 12],
    ]
    return .object(members)
  }

  private static func subtitle(of report: BenchReport) -> [String] {
    let state = report.partial ? ", partial" : ""
    let counting = report.environment.isExact ? "; the clock counts instructions, not cycles" : ""
    return [
      report.host.summary,
      "spectrap \(report.version), seed \(report.seed)\(state)\(report.host.caveat.map { "; \($0)" } ?? "")\(counting)",
    ]
  }

  /// The colours, shapes and dashes of a series; the channels share one legend.
  ///
  /// Seven shapes and seven dashes repeat. When they repeat, the colour has another lightness, so that up to 21 series
  /// differ in grey.
  struct Series {
    let color: JSONValue
    let shape: JSONValue
    let dash: JSONValue

    /// A policy looks the same in every chart.
    private static let known = PolicyName.allCases
    /// Dark, light and medium colours alternate, so that any three neighbours differ in grey.
    static let colors = [
      "#16324f", "#e0983a", "#2a7d4f", "#6b1230", "#b79ce0", "#7a6a5c", "#3b1f6b", "#6fbbe6", "#b0482f",
    ]
    private static let shapes = [
      "circle", "square", "triangle-up", "cross", "diamond", "triangle-down", "triangle-right",
    ]
    private static let dashes: [JSONValue] = [
      [1, 0], [9, 4], [2, 3], [9, 3, 2, 3], [16, 4], [9, 3, 2, 3, 2, 3], [2, 7],
    ]

    /// The series of these policies, in this order.
    init(_ policies: [Known<PolicyName>]) {
      let positions = policies.enumerated().map { index, policy in
        policy.value.flatMap { Self.known.firstIndex(of: $0) } ?? index
      }
      self.init("policy", policies.map(\.text), looks: positions)
    }

    /// The series of these values of a field, in this order.
    init(_ field: String, _ values: [String]) { self.init(field, values, looks: Array(values.indices)) }

    private init(_ field: String, _ values: [String], looks positions: [Int]) {
      func channel(_ look: (Int) -> JSONValue) -> JSONValue {
        [
          "field": .string(field), "type": "nominal", "title": .string(field),
          "scale": ["domain": .array(values.map(JSONValue.string)), "range": .array(positions.map(look))],
        ]
      }
      let turn = Self.shapes.count
      // The colours shift by one with each repetition of the shapes.
      color = channel { .string(Self.colors[($0 + $0 / turn) % Self.colors.count]) }
      shape = channel { .string(Self.shapes[$0 % turn]) }
      dash = channel { Self.dashes[$0 % turn] }
    }
  }

  /// A logarithmic scale that fits the values above zero, with a margin of 15 %.
  static func logarithmic(_ values: [Double]) -> JSONValue {
    let costs = values.filter(\.isCost)
    let low = max((costs.min() ?? 1) / 1.15, .leastNormalMagnitude)
    let high = min(costs.max() ?? 10, .greatestFiniteMagnitude / 1.15) * 1.15
    return ["type": "log", "domain": [.number(low), .number(high)], "nice": false]
  }
}
