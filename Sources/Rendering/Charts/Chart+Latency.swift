// The distribution of an exit's cost: for each primitive, the share of samples up to each number of cycles.

import JSONValues
import Measurement
import Registers

extension Chart {
  /// The distribution of each primitive's cost, less its loop's median.
  static func latency(of report: BenchReport) -> Chart? {
    var data: [JSONValue] = []
    var names: [String] = []
    var all: [Double] = []
    let cells = report.primitiveCells.filter { $0.workload != .bare }
    for (index, cell) in cells.enumerated() {
      let loop = cell.baselineUse == .subtract ? cell.baseline.flatMap { report.cell($0)?.summary?.median } : nil
      let samples = cell.settledRounds.flatMap { $0 }.map { $0 - (loop ?? 0) }.sorted()
      let name = "\(cell.label), \(cell.policy)" + (cell.end == .none ? "" : ", ends in \(cell.end.text)")
      names.append(name)
      all += samples
      // Each line has its mark at another height, so that overlapping lines can be distinguished.
      let height = 0.1 + 0.8 * (Double(index) + 0.5) / Double(cells.count)
      let marked = max(Int(height * Double(samples.count)), samples.firstIndex(where: \.isCost) ?? 0)
      for (rank, sample) in samples.enumerated() where sample.isCost {
        data.append([
          "primitive": .string(name), "cycles": .number(sample), "marked": .bool(rank == marked),
          "share": .number(Double(rank + 1) / Double(samples.count) * 100),
        ])
      }
    }
    guard !data.isEmpty else { return nil }
    // Samples that are not above zero count in the shares, but are not on a logarithmic axis.
    let outside = all.count { !$0.isCost }
    let note =
      "Each line has one mark, at its own height."
      + (outside == 0
        ? "" : " \(outside) of \(all.count) samples cost no more than their loop and lie left of the axis.")
    let series = Series("primitive", names.uniqued)
    let x: JSONValue = [
      "field": "cycles", "type": "quantitative", "scale": logarithmic(all),
      "axis": ["labelSeparation": 6],
      "title": .string("\(report.unit), logarithmic (each sample the mean of its iterations, the loop taken off)"),
    ]
    let y: JSONValue = [
      "field": "share", "type": "quantitative", "title": "share of the samples that cost no more, %",
      "scale": ["domain": [0, 100]],
    ]
    let specification = Self.specification(
      title: "Distribution of an exit's cost", note: note, of: report, data: data,
      [
        "width": 620, "height": 340,
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
        ],
      ])
    return Chart(name: "exit-latency", specification: specification)
  }
}
