// The distribution of an exit's cost: for each primitive, the share of samples up to each number of cycles.

import JSONValues
import Measurement
import Registers

extension Chart {
  /// The distribution of each primitive's cost, less its loop's median.
  ///
  /// Policies under which a primitive costs the same, to 2 %, share one line.
  static func latency(of report: BenchReport) -> Chart? {
    let lines = LatencyLine.all(of: report)
    var data: [JSONValue] = []
    for (index, line) in lines.enumerated() {
      // Each line has its mark at another height, so that overlapping lines can be distinguished.
      let height = 0.1 + 0.8 * (Double(index) + 0.5) / Double(lines.count)
      let samples = line.samples
      let marked = max(Int(height * Double(samples.count)), samples.firstIndex(where: \.isCost) ?? 0)
      for (rank, sample) in samples.enumerated() where sample.isCost {
        data.append([
          "primitive": .string(line.name), "cycles": .number(sample), "marked": .bool(rank == marked),
          "share": .number(Double(rank + 1) / Double(samples.count) * 100),
          "label": .string(line.median.isCost ? line.figure : ""),
        ])
      }
    }
    guard !data.isEmpty else { return nil }
    // Samples that are not above zero count in the shares, but are not on a logarithmic axis.
    let all = lines.flatMap(\.samples)
    let outside = all.count { !$0.isCost }
    let note =
      "Each line has one mark, at its own height, with the line's median beside it."
      + (outside == 0
        ? "" : " \(outside) of \(all.count) samples cost no more than their loop and lie left of the axis.")
    let series = Series("primitive", lines.map(\.name).uniqued)
    let (scale, axis) = logarithmic(all, room: 0.05)
    let x: JSONValue = [
      "field": "cycles", "type": "quantitative", "scale": scale, "axis": axis,
      "title": .string("\(report.unit), logarithmic (each sample is the mean of its iterations, without the loop)"),
    ]
    let y: JSONValue = [
      "field": "share", "type": "quantitative", "title": "share of the samples that cost no more, %",
      "scale": ["domain": [0, 100]],
    ]
    return Chart(
      name: "exit-latency", title: title(of: lines, report.unit), note: note, of: report, data: data,
      [
        "width": 620, "height": .number(max(340, Double(lines.count) * 19)),
        "layer": [
          [
            "mark": ["type": "line", "interpolate": "step-after", "strokeWidth": 2],
            "encoding": ["x": x, "y": y, "color": series.color, "strokeDash": series.dash],
          ],
          [
            "transform": [["filter": "datum.marked"]],
            "mark": ["type": "point", "filled": true, "size": 110, "opacity": 1],
            "encoding": ["x": x, "y": y, "color": series.color, "shape": series.shape],
          ],
          [
            "transform": [["filter": "datum.marked"]],
            "mark": ["type": "text", "align": "left", "dx": 9, "fontSize": 11, "color": "#222222"],
            "encoding": ["x": x, "y": y, "text": ["field": "label"]],
          ],
        ],
      ])
  }

  /// The chart's title, a sentence: the cheapest exit of each kind.
  private static func title(of lines: [LatencyLine], _ unit: String) -> String {
    func least(_ end: CellRecord.Place) -> String? {
      lines.filter { $0.end == end && $0.median.isCost }.map(\.median).min().map(Decimal.cycles)
    }
    return switch (least(.kvm), least(.vmm)) {
    case (let kvm?, let vmm?): "An exit that KVM ends costs \(kvm) \(unit) or more, one to the VMM \(vmm) or more"
    case (let kvm?, nil): "An exit that KVM ends costs \(kvm) \(unit) or more"
    case (nil, let vmm?): "An exit to the VMM costs \(vmm) \(unit) or more"
    case (nil, nil): "Distribution of an instruction's cost"
    }
  }
}

/// A primitive under one policy, or under several that cost the same.
private struct LatencyLine {
  let label: String
  let end: CellRecord.Place
  var policies: [String]
  /// Sorted, without the loop.
  var samples: [Double]

  var median: Double { samples.isEmpty ? 0 : samples[samples.count / 2] }

  /// The median as text.
  var figure: String { Decimal.cost(median) }

  var name: String {
    let who = policies.count > 2 ? "\(policies.count) policies" : policies.joined(separator: " and ")
    return "\(label), \(who)" + (end == .none ? "" : ", ends in \(end.text)")
  }

  /// Whether two lines of a primitive are drawn as one: they end alike and their medians lie within 2 %.
  private func coincides(with other: Self) -> Bool {
    label == other.label && end == other.end && median.isCost && other.median.isCost
      && max(median, other.median) <= 1.02 * min(median, other.median)
  }

  /// The lines of a report.
  static func all(of report: BenchReport) -> [Self] {
    var lines: [Self] = []
    for cell in report.primitiveCells where cell.workload != .bare {
      let loop = cell.baselineUse == .subtract ? cell.baseline.flatMap { report.cell($0)?.summary?.median } : nil
      let line = Self(
        label: cell.label, end: cell.end, policies: [cell.policy.text],
        samples: cell.settledRounds.flatMap { $0 }.map { $0 - (loop ?? 0) }.sorted())
      if let index = lines.firstIndex(where: { $0.coincides(with: line) }) {
        lines[index].policies += line.policies
        lines[index].samples = (lines[index].samples + line.samples).sorted()
      } else {
        lines.append(line)
      }
    }
    return lines
  }
}
