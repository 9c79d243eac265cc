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

  @Test("Titles say what to conclude")
  func titles() {
    let titles = Chart.all(of: MadeUp.whole).map(\.title)
    #expect(titles[0].hasPrefix("Writing IBRS at each entry costs 2.") && titles[0].contains(" x under shadow"))
    #expect(
      titles[1].hasPrefix("An exit that KVM ends costs 130") && titles[1].contains(", one to the VMM 1896 or more"),
      "\(titles[1])")
    #expect(titles[2].hasPrefix("For a guest that does not exit these cost the least: "))
  }

  @Test("A policy that was not measured of a workload takes no row of it, and is named where it has none at all")
  func rows() throws {
    let cells = [
      MadeUp.cell("bare", "emulate", cost: 700), MadeUp.cell("bare", "manual", cost: 700),
      MadeUp.cell("chatty", "emulate", cost: 2700, exits: 1),
      MadeUp.absent("bare", "syscall", "autoload", "no such register"),
    ]
    let chart = try #require(Chart.all(of: MadeUp.report(cells)).first)
    #expect(chart.specification["resolve"]?["scale"]?["y"] == .string("independent"))
    #expect(chart.specification["data"]?["values"]?.elements.count == 3)
    #expect("\(chart.specification["title"] ?? .null)".contains("Not measured here: autoload."))
  }

  @Test("Each mark of a cost has its figure beside it")
  func figures() throws {
    let chart = try #require(Chart.all(of: MadeUp.whole).first)
    let labels = chart.specification["data"]?["values"]?.elements.compactMap { $0["label"]?.text } ?? []
    #expect(!labels.isEmpty && labels.allSatisfy { Double($0) != nil })
    let marks = chart.specification["spec"]?["layer"]?.elements.compactMap { $0["mark"]?["type"]?.text }
    #expect(marks == ["rule", "point", "text"])
  }

  @Test("Curves that coincide are one, with all its policies' names")
  func merged() throws {
    // manual and autoload cost the same here; passthrough costs less per exit than either.
    let counts: [(writes: Int, exits: Int)] = [(0, 0), (1, 0), (2, 0), (4, 0), (2, 1), (4, 2)]
    func cells(_ policy: String, perExit: Double) -> [MadeUp.Cell] {
      counts.map { count in
        let cost: Double = 700 + 500 * Double(count.writes) + perExit * Double(count.exits)
        return MadeUp.cell(
          "ibrs", policy, cost: cost, noise: 0.001, msr: "0x48", writes: count.writes, exits: count.exits,
          place: .hardware)
      }
    }
    let cells =
      cells("passthrough", perExit: 2000) + cells("manual", perExit: 2500) + cells("autoload", perExit: 2510)
    let chart = try #require(Chart.all(of: MadeUp.report(cells)).first { $0.name == "break-even" })
    let names = Set(chart.specification["data"]?["values"]?.elements.compactMap { $0["policy"]?.text } ?? [])
    #expect(names == ["passthrough", "manual = autoload"])
  }

  @Test("Where adaptive was measured the break-even says why it has no curve")
  func adaptive() throws {
    let cells = MadeUp.whole.record.cells + [MadeUp.cell("bare", "adaptive", cost: 700)]
    let chart = try #require(Chart.all(of: MadeUp.report(cells)).first { $0.name == "break-even" })
    #expect("\(chart.specification["title"] ?? .null)".contains("adaptive is not drawn"))
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
    func look(of policy: String, among policies: [String]) -> String? {
      // Policies that cost the same would share a mark.
      let cells = policies.enumerated().map { MadeUp.cell("bare", $1, cost: 700 + 100 * Double($0)) }
      let layer = Chart.all(of: MadeUp.report(cells)).first?.specification["spec"]?["layer"]?.elements[1]
      guard let scale = layer?["encoding"]?["shape"]?["scale"], let values = scale["domain"]?.elements,
        let looks = scale["range"]?.elements, values.count == looks.count
      else { return nil }
      return zip(values, looks).first { $0.0 == .string(policy) }.map { "\($0.1)" }
    }
    let emulate = look(of: "emulate", among: ["emulate"])
    #expect(emulate != nil && emulate == look(of: "emulate", among: ["passthrough", "manual", "emulate"]))
    #expect(emulate != look(of: "shadow", among: ["shadow"]))
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
    let layers = Chart.all(of: report).first?.specification["spec"]?["layer"]?.elements
    let domain = layers?.first?["encoding"]?["x"]?["scale"]?["domain"]?.elements ?? []
    #expect(domain.count == 2)
    for case .number(let bound) in domain { #expect(bound > 80 && bound < 130) }
  }
}

extension JSONValue {
  /// The text of a string.
  fileprivate var text: String? { if case .string(let text) = self { text } else { nil } }
}
