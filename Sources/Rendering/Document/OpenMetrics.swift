// Gauges as text, in the form of OpenMetrics that a collector of text files of Prometheus reads, too.
// Facts: OpenMetrics 1.0.0 (github.com/OpenObservability/OpenMetrics, specification/OpenMetrics.md): families are not
// interleaved, labels are quoted with \\, \" and \n escaped, the text ends with "# EOF"; Prometheus' exposition format,
// to which that line is a remark.

/// Text in the form of OpenMetrics.
struct OpenMetrics {
  private var lines: [String] = []

  /// Adds gauges of one name; samples that are not finite numbers are left out, and so is a family without any.
  mutating func family(_ name: String, _ help: String, _ samples: [(labels: [String: String], value: Double)]) {
    guard samples.contains(where: \.value.isFinite) else { return }
    lines += ["# TYPE \(name) gauge", "# HELP \(name) \(help)"]
    for (labels, value) in samples where value.isFinite {
      let list = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
      lines.append("\(name){\(list.joined(separator: ","))} \(value)")
    }
  }

  /// The whole text.
  var ended: String { (lines + ["# EOF", ""]).joined(separator: "\n") }

  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { escaped, character in
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.append(character)
      }
    }
  }
}
