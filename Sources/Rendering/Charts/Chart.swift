// Charts of a benchmark as Vega-Lite 5 specifications (https://vega.github.io/schema/vega-lite/v5.json), with their
// data. Each series has a colour and also a shape or a dash, so that the charts can be read in grey.

import Glibc
public import JSONValues
public import Measurement
import Registers

/// A chart of a benchmark.
public struct Chart: Equatable, Sendable {
  /// The name of the chart's file, without an extension.
  public var name: String
  /// The chart's conclusion, in a sentence.
  public var title: String
  /// The specification, to be encoded as JSON.
  public var specification: JSONValue

  /// All charts for which a benchmark has data.
  public static func all(of report: BenchReport) -> [Chart] {
    [costByPolicy(of: report), latency(of: report), breakEven(of: report)].compactMap { $0 }
  }

  /// A chart with the parts that all share: title, host, data, fonts and colours.
  init(
    name: String, title: String, note: String? = nil, of report: BenchReport, data: [JSONValue],
    _ parts: [String: JSONValue]
  ) {
    self.name = name
    self.title = title
    var members = parts
    members["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
    let subtitle = Self.subtitle(of: report) + [note].compactMap(\.self)
    members["title"] = [
      "text": .array(Self.lines(title, width: 72)),
      "subtitle": .array(subtitle.flatMap { Self.lines($0, width: 105) }), "anchor": "start",
      "fontSize": 15, "subtitleFontSize": 12,
    ]
    members["data"] = ["values": .array(data)]
    members["background"] = "white"
    // Room for texts that the viewer's font makes wider than the renderer's.
    members["padding"] = ["left": 20, "top": 10, "right": 60, "bottom": 10]
    members["config"] = [
      "axis": ["labelFontSize": 12, "titleFontSize": 12, "titlePadding": 12, "gridColor": "#e4e4e4"],
      "legend": ["labelFontSize": 12, "titleFontSize": 12, "symbolSize": 130, "labelLimit": 340],
      "header": ["labelFontSize": 12, "titleFontSize": 12],
    ]
    specification = .object(members)
  }

  /// A text in lines that are no wider than a chart.
  private static func lines(_ text: String, width: Int) -> [JSONValue] {
    text.wrapped(width: width).split(separator: "\n").map { .string(String($0)) }
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
    init(_ policies: [Known<PolicyName>], hasLegend: Bool = true) {
      self.init("policy", policies.map(\.text), like: policies, hasLegend: hasLegend)
    }

    /// The series of these values of a field, which look as these policies do.
    init(_ field: String, _ values: [String], like policies: [Known<PolicyName>], hasLegend: Bool = true) {
      let positions = policies.enumerated().map { index, policy in
        policy.value.flatMap { Self.known.firstIndex(of: $0) } ?? index
      }
      self.init(field, values, looks: positions, hasLegend: hasLegend)
    }

    /// The series of these values of a field, in this order.
    init(_ field: String, _ values: [String]) {
      self.init(field, values, looks: Array(values.indices), hasLegend: true)
    }

    private init(_ field: String, _ values: [String], looks positions: [Int], hasLegend: Bool) {
      func channel(_ look: (Int) -> JSONValue) -> JSONValue {
        var channel: [String: JSONValue] = [
          "field": .string(field), "type": "nominal", "title": .string(field),
          "scale": ["domain": .array(values.map(JSONValue.string)), "range": .array(positions.map(look))],
        ]
        if !hasLegend { channel["legend"] = .null }
        return .object(channel)
      }
      let turn = Self.shapes.count
      // The colours shift by one with each repetition of the shapes.
      color = channel { .string(Self.colors[($0 + $0 / turn) % Self.colors.count]) }
      shape = channel { .string(Self.shapes[$0 % turn]) }
      dash = channel { Self.dashes[$0 % turn] }
    }
  }

  /// A logarithmic scale that fits the values above zero, with a margin of 15 %, and its axis, each tick labelled.
  ///
  /// - Parameter room: how much of the axis is left free at its upper end, as a share, for figures beside the marks.
  static func logarithmic(_ values: [Double], room: Double = 0) -> (scale: JSONValue, axis: JSONValue) {
    let costs = values.filter(\.isCost)
    let low = max((costs.min() ?? 1) / 1.15, .leastNormalMagnitude)
    let top = min(costs.max() ?? 10, .greatestFiniteMagnitude / 1.15) * 1.15
    let high = min(top * pow(top / low, room / (1 - room)), .greatestFiniteMagnitude)
    let ticks = ticks(from: low, to: high)
    var axis: [String: JSONValue] = ["labelOverlap": false, "format": ",~r"]
    if !ticks.isEmpty { axis["values"] = .array(ticks.map(JSONValue.number)) }
    return (["type": "log", "domain": [.number(low), .number(high)], "nice": false], .object(axis))
  }

  /// Round numbers in a range, few enough for each to have a label; none where the range has too few.
  private static func ticks(from low: Double, to high: Double) -> [Double] {
    let powers = log10(low).rounded(.down)...log10(high).rounded(.up)
    for steps in [[1.0], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]] {
      let ticks = stride(from: powers.lowerBound, through: powers.upperBound, by: 1).flatMap { power in
        steps.map { $0 * pow(10, power) }
      }.filter { (low...high).contains($0) }
      if ticks.count >= 3 {
        return ticks.count <= 12 ? ticks : ticks.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
      }
    }
    return []
  }
}
