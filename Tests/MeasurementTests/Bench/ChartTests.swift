import Measurement
import Testing

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

  @Test("Samples that a logarithmic axis has no place for are counted, not dropped in silence")
  func belowZero() {
    var cell = MadeUp.cell("out", "none", "emulate", cost: 100, rounds: 0, exits: 1)
    for _ in 0..<6 { cell.add(round: [100, 110, 90, 105, -5, 95, 100, 100]) }
    let chart = Chart.all(of: MadeUp.report([cell])).first { $0.name == "exit-latency" }
    let title = "\(chart?.specification["title"] ?? .null)"
    #expect(title.contains("6 of 48 samples"))
  }
}
