import Glibc
import JSONValues
import Rendering
import Testing

@testable import Measurement

/// Charts that a renderer can draw and a person can read.
struct ChartTests {
  @Test("A whole report has all three charts, each with its data, the host and Vega-Lite's name")
  func all() {
    let charts = Chart.all(of: MadeUp.whole)
    #expect(charts.map(\.name) == ["cost-by-policy", "exit-latency", "break-even"])
    for chart in charts {
      #expect(chart.specification["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json")
      #expect(chart.specification["data"]?["values"]?.elements.isEmpty == false)
      #expect("\(chart.specification["title"] ?? .null)".contains("Xeon"))
    }
  }

  @Test("There is no chart of what was not measured")
  func none() { #expect(Chart.all(of: MadeUp.report([])) == []) }

  @Test("What colour tells, a shape or a dash tells as well")
  func grey() {
    func channels(_ value: JSONValue) -> [Set<String>] {
      switch value {
      case .object(let members):
        let own: [Set<String>] =
          if case .object(let encoding)? = members["encoding"] { [Set(encoding.keys)] } else { [] }
        return own + members.values.flatMap(channels)
      case .array(let elements): return elements.flatMap(channels)
      default: return []
      }
    }
    for chart in Chart.all(of: MadeUp.whole) {
      let encodings = channels(chart.specification)
      #expect(encodings.contains { $0.contains("color") && ($0.contains("shape") || $0.contains("strokeDash")) })
    }
  }

  @Test("A clock that counts instructions and software KVM stand under the title")
  func caveats() {
    let report = MadeUp.report(
      [MadeUp.cell("bare", "passthrough", cost: 700)], host: MadeUp.host(module: "kvm_pvm"),
      environment: BenchEnvironment(countsInstructions: true))
    let title = "\(Chart.all(of: report).first?.specification["title"] ?? .null)"
    #expect(title.contains("kvm_pvm") && title.contains("counts instructions"))
  }

  @Test("A policy looks the same in every chart, whichever others there are")
  func constantLook() {
    func looks(_ policies: [String]) -> String {
      let cells = policies.map { MadeUp.cell("bare", $0, cost: 700) }
      let layer = Chart.all(of: MadeUp.report(cells)).first?.specification["layer"]?.elements.last
      return "\(layer?["encoding"]?["shape"]?["scale"]?["range"]?.elements.last ?? .null)"
    }
    #expect(looks(["emulate"]) == looks(["passthrough", "manual", "emulate"]))
    #expect(looks(["emulate"]) != looks(["shadow"]))
  }

  /// How light a colour is to the eye, 0 to 100: CIE L*, of sRGB.
  private func lightness(_ color: JSONValue) throws -> Double {
    guard case .string(let text) = color, let bits = Int(text.dropFirst(), radix: 16) else { throw NoColor() }
    let channels = [16, 8, 0].map { shift -> Double in
      let value = Double(bits >> shift & 0xff) / 255
      return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    return 116 * cbrt(0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]) - 16
  }

  private struct NoColor: Error {}

  @Test("21 series of latencies differ in dash or lightness, and in mark or lightness: all are told apart in grey")
  func manySeries() throws {
    let cells = (0..<21).map { MadeUp.cell("wrmsr", "none", "emulate", cost: 500, msr: "0x\(100 + $0)", writes: 1) }
    let chart = try #require(Chart.all(of: MadeUp.report(cells)).first { $0.name == "exit-latency" })
    let layers = try #require(chart.specification["layer"]?.elements)
    func looks(_ layer: Int, _ channel: String) -> [JSONValue] {
      layers[layer]["encoding"]?[channel]?["scale"]?["range"]?.elements ?? []
    }
    for (layer, channel) in [(0, "strokeDash"), (1, "shape")] {
      let forms = looks(layer, channel)
      let shades = try looks(layer, "color").map { try lightness($0) }
      #expect(forms.count == 21 && shades.count == 21)
      for one in forms.indices {
        for other in forms.indices where other > one && forms[one] == forms[other] {
          #expect(abs(shades[one] - shades[other]) > 15, "\(channel) of series \(one) and \(other)")
        }
      }
      // Each line has its one mark, and no two are at one height.
      let marked = chart.specification["data"]?["values"]?.elements.filter { $0["marked"] == .bool(true) } ?? []
      let heights = marked.compactMap { if case .number(let share)? = $0["share"] { share } else { nil as Double? } }
      #expect(heights.count == 21 && Set(heights).count == 21)
      // Even the lightest stands out on white paper.
      #expect(shades.allSatisfy { $0 < 75 })
    }
  }

  @Test("Samples that a logarithmic axis has no place for are counted, not dropped in silence")
  func belowZero() {
    var cell = MadeUp.cell("out", "none", "emulate", cost: 100, rounds: 0, exits: 1)
    for _ in 0..<6 { cell.add(round: [100, 110, 90, 105, -5, 95, 100, 100]) }
    let chart = Chart.all(of: MadeUp.report([cell])).first { $0.name == "exit-latency" }
    let title = "\(chart?.specification["title"] ?? .null)"
    #expect(title.contains("6 of 48 samples"))
  }

  @Test("An interval that reaches below zero leaves the axis as it is")
  func unboundedBelow() throws {
    let record = MadeUp.cell("bare", "passthrough", cost: 100)
    let cell = BenchReport.Cell(
      record: record, warmUp: [], summary: Distribution([-50, -40, 100, 100, 110, 120]))
    #expect(cell.summary?.medianInterval95?.lower ?? 0 < 0)
    let report = try MadeUp.report([record]).replacing("cells", with: [cell])
    let layers = Chart.all(of: report).first?.specification["layer"]?.elements
    let domain = layers?.first?["encoding"]?["x"]?["scale"]?["domain"]?.elements ?? []
    #expect(domain.count == 2)
    for case .number(let bound) in domain { #expect(bound > 80 && bound < 130) }
  }
}
