import Rendering
import Testing

@testable import Measurement

/// A clock that cannot be believed decides nothing.
struct ClockTests {
  /// The cells of a whole benchmark on an emulator that reads its clock where a block of code begins: an entry is two
  /// blocks, and the figures are the same at every run.
  private var blocks: BenchReport {
    MadeUp.report(
      MadeUp.whole.record.cells.filter(\.isMeasured).map { cell in
        var cell = cell
        let ticks = cell.entry == "none" ? 1.0 : 2.0 + Double(cell.writesPerEntry + 3 * cell.exitsPerEntry)
        cell.rounds = cell.rounds.map { $0.map { _ in ticks } }
        return cell
      })
  }

  /// A whole benchmark, whose clock's own samples speak against it.
  private var doubted: BenchReport {
    var record = MadeUp.whole.record
    record.clock = BenchReport.Clock(overheadCycles: 25.5, hertz: 2.6e9, doubt: "it stands still")
    return BenchReport(record)
  }

  @Test("A kernel entry of two ticks is believed of no clock: no claim is decided, and the top says why")
  func blockBoundaries() throws {
    let report = blocks
    let doubt = try #require(report.clock.doubt)
    #expect(doubt.contains("ticks, and no processor enters its kernel and comes back in fewer than 20"))
    #expect(report.warnings.first?.hasSuffix(doubt) == true)
    for verdict in report.verdicts {
      #expect(verdict.outcome == .notDecided && verdict.figures.isEmpty, "\(verdict.claim)")
      #expect(verdict.reason.hasPrefix("The clock cannot be believed: ") && verdict.reason.contains(doubt))
    }
    #expect(report.text.contains("NOT DECIDED") && !report.text.contains("HOLD"))
  }

  @Test("By such a clock no break-even has a winner, and nothing differs")
  func nothingElseDecided() throws {
    #expect(MadeUp.whole.comparisons.contains(where: \.differs) && MadeUp.whole.breakEven?.winners.isEmpty == false)
    let report = doubted
    let breakEven = try #require(report.breakEven)
    #expect(breakEven.withheld == "the clock cannot be believed: it stands still")
    #expect(breakEven.winners.isEmpty && breakEven.crossings.isEmpty && breakEven.contradictions.isEmpty)
    #expect(!report.comparisons.isEmpty && !report.comparisons.contains(where: \.differs))
    #expect(report.text.replacing("\n", with: " ").contains("No winner is named: the clock cannot be believed"))
  }

  @Test("A clock that counts instructions is believed")
  func instructions() {
    var record = blocks.record
    record.clock = MadeUp.whole.clock
    record.environment = BenchEnvironment(countsInstructions: true)
    let report = BenchReport(record)
    #expect(report.clock.doubt == nil)
  }

  @Test("A cost below nothing, and intervals without width, are no time")
  func impossible() throws {
    func doubt(_ cells: [CellRecord]) -> String? { MadeUp.report(cells).clock.doubt }
    let bare = MadeUp.cell("bare", "passthrough", cost: 700)
    #expect(doubt([bare, MadeUp.cell("ibrs", "manual", cost: -3, writes: 2)])?.contains("costs -3.0 ticks") == true)
    // Noise is no fault of the clock's.
    #expect(doubt([bare, MadeUp.cell("ibrs", "manual", cost: 10, noise: 40, writes: 2)]) == nil)
    let exact = ["emulate", "manual", "shadow"].map { MadeUp.cell("bare", $0, cost: 700, noise: 0) }
    #expect(doubt(exact + [bare])?.contains("3 of 4 intervals have no width") == true)
    #expect(doubt(Array(exact.dropLast()) + [bare, MadeUp.cell("retpoline", "passthrough", cost: 730)]) == nil)
    #expect(doubt(MadeUp.whole.record.cells) == nil)
  }

  @Test("What the samples of the clock itself say against it stands, and a result without the key is read")
  func sampled() throws {
    let report = doubted
    #expect(report.clock.doubt == "it stands still")
    #expect(report.verdicts.allSatisfy { $0.outcome == .notDecided })
    #expect(MadeUp.whole.clock.doubt == nil)
  }
}
