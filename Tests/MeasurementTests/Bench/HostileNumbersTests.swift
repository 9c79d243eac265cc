import FoundationEssentials
import Rendering
import Testing

@testable import Measurement

/// Whatever finite numbers a result file holds: nothing that reads it ends the program, and nothing impossible comes of
/// it.
struct HostileNumbersTests {
  private static let strange: [Double] = [
    0, -0.0, 1, -1, 700, 702, 0.1, 1e-300, -1e-300, .leastNonzeroMagnitude, 1e300, -1e300, 1e308, -1e308,
    .greatestFiniteMagnitude,
    -.greatestFiniteMagnitude, .leastNormalMagnitude, 1e15, 999_999_999.5,
  ]

  /// A number that is strange with this probability, else about 1000.
  private func number(_ share: Double, _ generator: inout SeededGenerator) -> Double {
    Double.random(in: 0..<1, using: &generator) < share
      ? Self.strange.randomElement(using: &generator) ?? 0 : Double.random(in: 900...1100, using: &generator)
  }

  /// What was measured of random cells, with rounds of random lengths.
  private func record(_ share: Double, _ generator: inout SeededGenerator) -> BenchRecord {
    var cells: [CellRecord] = []
    for policy in ["passthrough", "emulate", "manual", "adaptive"] {
      cells.append(MadeUp.cell("bare", "none", policy, cost: 1, rounds: 0))
      cells.append(MadeUp.cell("out", "none", policy, cost: 1, rounds: 0, exits: 1, minus: "bare/none/\(policy)"))
      cells.append(MadeUp.cell("chatty", policy, cost: 1, rounds: 0, exits: 1, over: "ibrs/syscall/\(policy)"))
      cells.append(
        MadeUp.cell("chatty", policy, cost: 1, rounds: 0, beside: .sameCPU, exits: 1, over: "chatty/syscall/\(policy)"))
      for (writes, exits) in [(2, 0), (1, 0), (4, 0), (2, 1), (Int.max, Int.min), (4, 4)] {
        cells.append(MadeUp.cell("ibrs", policy, cost: 1, rounds: 0, msr: "0x48", writes: writes, exits: exits))
      }
    }
    for index in cells.indices {
      for _ in 0..<Int.random(in: 0...12, using: &generator) {
        cells[index].rounds.append(
          (0..<Int.random(in: 0...6, using: &generator)).map { _ in number(share, &generator) })
      }
    }
    cells.append(cells[0])
    var record = MadeUp.record(cells)
    record.clock = BenchReport.Clock(overheadCycles: 0, hertz: number(0.5, &generator))
    return record
  }

  /// A result of such cells out of a file, with fields that contradict the samples.
  private func report(_ share: Double, _ generator: inout SeededGenerator) throws -> BenchReport {
    let report = BenchReport(record(share, &generator))
    let hostile = report.cells.map { cell in
      guard Bool.random(using: &generator) else { return cell }
      let warmUp = (0..<14).map { _ in [.min, -1, 0, 1, .max].randomElement(using: &generator) ?? 0 }
      return BenchReport.Cell(record: cell.record, warmUp: warmUp, summary: cell.summary)
    }
    return try report.replacing("cells", with: hostile)
  }

  @Test(
    "A comparison has positive finite figures, ordered bounds, and no pass where a figure is impossible",
    arguments: 0..<30)
  func comparisons(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let share = [0.02, 0.3, 1][Int(seed % 3)]
    let comparison = ReportComparison(record(share, &generator), record(share, &generator))
    for change in comparison.cells {
      #expect([change.first, change.second, change.ratio].allSatisfy { $0 > 0 && $0.isFinite }, "\(change)")
      guard let bounds = change.interval else { continue }
      #expect(bounds.lower > 0 && bounds.contains(change.ratio))
    }
    for threshold in [0, 0.05, 1e300] {
      let passes = comparison.passes(threshold: threshold) || comparison.passes(threshold: threshold, bothWays: true)
      #expect(!passes || comparison.void.isEmpty && comparison.lost.isEmpty)
      #expect(!comparison.text(threshold: threshold, bothWays: true).isEmpty)
    }
    #expect(!comparison.text(verbose: true).isEmpty)
    _ = try JSONEncoder().encode(comparison)
  }

  @Test("Charts have finite numbers alone, or JSON would not take them", arguments: 0..<12)
  func charts(seed: UInt64) throws {
    var generator = SeededGenerator(seed: 1000 + seed)
    let report = try report([0.02, 0.3, 1][Int(seed % 3)], &generator)
    for chart in Chart.all(of: report) { _ = try JSONEncoder().encode(chart.specification) }
  }

  @Test(
    "Conclusions are drawn, or the figure is unknown with its reason; text and tables show no impossible cost",
    arguments: 0..<6)
  func conclusions(seed: UInt64) throws {
    var generator = SeededGenerator(seed: 2000 + seed)
    let report = try report([0.02, 0.3, 1][Int(seed % 3)], &generator)
    for comparison in report.comparisons {
      #expect(comparison.ratio > 0 && comparison.interval.lower > 0 && comparison.interval.upper.isFinite)
    }
    for cell in report.cells where cell.isMeasured {
      #expect(cell.summary?.mean.map { $0 > 0 && $0.isFinite } ?? true)
      #expect(cell.summary?.medianInterval95?.lower ?? 0 >= 0, "\(cell.id)")
    }
    for chart in Chart.all(of: report) { _ = try JSONEncoder().encode(chart.specification) }
    #expect(!report.text.isEmpty && !report.markdown.isEmpty && !report.csv.isEmpty && !report.samplesCSV.isEmpty)
    _ = try JSONEncoder().encode(report)
  }

  @Test("The largest numbers are printed as well as any other", arguments: strange)
  func decimals(value: Double) {
    let cell = MadeUp.cell("bare", "passthrough", cost: value, noise: 0)
    let report = MadeUp.report([cell])
    #expect(!report.text.isEmpty && !report.csv.isEmpty)
    // Figures without noise make a report's clock doubtful, which is another reason to compare nothing.
    let record = MadeUp.record([cell])
    #expect(ReportComparison(record, record).void.isEmpty == (value.isNormal && value > 0))
  }
}
