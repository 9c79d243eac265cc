// A benchmark as comma-separated values (RFC 4180): one row per cell, or one row per sample.

public import Measurement
import Registers

extension BenchReport {
  /// The names of the columns.
  static let csvColumns = [
    "id", "workload", "entry", "policy", "msr", "neighbour", "writes_per_entry", "exits_per_entry", "place", "status",
    "reason", "iterations_per_sample", "rounds", "samples", "outliers", "warm_up", "min", "mean", "median",
    "median_low", "median_high",
    "p90", "p99", "max", "vmm_exits_per_entry", "kvm_exits_per_entry", "baseline", "baseline_use", "ratio", "ratio_low",
    "ratio_high", "differs", "kernel_told", "kernel_taken", "kernel_says", "kernel_writes_per_entry",
  ]

  /// One row per cell, cycles and counts per iteration.
  ///
  /// Unknown figures are empty, and so are impossible costs, such as a negative minimum. Lines end with CR and LF.
  public var csv: String {
    ([Self.csvColumns] + cells.map(csvRow)).map { $0.map(Self.csvField).joined(separator: ",") + "\r\n" }.joined()
  }

  /// The names of the columns of the samples.
  static let sampleColumns = ["cell", "round", "sample", "cycles", "warm_up"]

  /// One row per sample in the order of its measurement within its cell, warm-up included: cycles per iteration.
  ///
  /// Rounds and samples are counted from 0. Lines end with CR and LF.
  public var samplesCSV: String {
    var text = Self.sampleColumns.joined(separator: ",") + "\r\n"
    for cell in cells {
      let id = Self.csvField(cell.id)
      for (round, samples) in cell.rounds.enumerated() {
        let warmUp = cell.warmUpLength(of: round)
        for (index, sample) in samples.enumerated() {
          text += "\(id),\(round),\(index),\(sample),\(index < warmUp)\r\n"
        }
      }
    }
    return text
  }

  private func csvRow(_ cell: Cell) -> [String] {
    func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    func cost(_ value: Double?) -> String { number(value.flatMap { $0.isCost ? $0 : nil }) }
    let comparison = comparison(of: cell)
    let summary = cell.summary
    let interval = summary?.medianInterval95
    let identity = [
      cell.id, cell.workload.text, cell.entry.text, cell.policy.text, cell.msr?.text ?? "",
      cell.neighbour?.rawValue ?? "",
      "\(cell.writesPerEntry)", "\(cell.exitsPerEntry)", cell.place.rawValue, cell.status.rawValue, cell.reason ?? "",
    ]
    let statistics = [
      "\(cell.iterationsPerSample)", "\(cell.rounds.count)", "\(summary?.count ?? 0)",
      summary?.outliers.map { "\($0)" } ?? "", "\(cell.warmUpCount)", cost(summary?.minimum),
      cost(summary?.mean), cost(summary?.median), cost(interval?.lower), cost(interval?.upper), cost(summary?.p90),
      cost(summary?.p99), cost(summary?.maximum),
      number(cell.vmmExitsPerEntry), number(cell.kvmExitsPerEntry),
    ]
    let ratio = [
      cell.baseline ?? "", cell.baselineUse?.rawValue ?? "", number(comparison?.ratio),
      number(comparison?.interval.lower), number(comparison?.interval.upper), comparison.map { "\($0.differs)" } ?? "",
    ]
    let kernel = [
      cell.kernel?.mitigation.text ?? "", cell.kernel?.taken?.text ?? "", cell.kernel?.says ?? "",
      number(cell.kernel?.writesPerIteration),
    ]
    return identity + statistics + ratio + kernel
  }

  /// A field, quoted where it holds a comma, a quotation mark or a line end.
  static func csvField(_ text: String) -> String {
    text.utf8.contains { [0x22, 0x2c, 0x0d, 0x0a].contains($0) } ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
  }
}
