import Rendering
import Testing

@testable import Measurement

/// What the cells say against a benchmark stands on top of it.
struct WarningsTests {
  private func warnings(
    _ disturbance: CellRecord.Disturbance?, beside neighbour: CellRecord.Neighbour? = nil,
    _ change: (inout CellRecord) -> Void = { _ in }
  ) -> [String] {
    var cell = MadeUp.cell("chatty", "emulate", cost: 2000, beside: neighbour, exits: 1)
    cell.disturbance = disturbance
    change(&cell)
    let report = MadeUp.report([MadeUp.cell("bare", "emulate", cost: 700), cell])
    for warning in report.warnings { #expect(report.text.contains("WARNING   \(warning.prefix(20))")) }
    return report.warnings
  }

  @Test("Guests that had to wait, or were preempted often, are told of, with what to do")
  func waiting() {
    #expect(warnings(.init(seconds: 10, waited: 0.2, longestWait: 0.1, preemptions: 500)).isEmpty)
    let waited = warnings(.init(seconds: 10, waited: 1.23, longestWait: 0.1, preemptions: 12))
    #expect(waited.count == 1 && waited[0].contains("waited for 12 % of the time"))
    #expect(waited[0].contains("--cpu"))
    #expect(warnings(.init(seconds: 10, preemptions: 501)).count == 1)
    #expect(warnings(nil).isEmpty)
  }

  @Test("One interruption of a short run says nothing of other work")
  func shortRuns() {
    #expect(warnings(.init(seconds: 0.005, waited: 0.001, longestWait: 0.001, preemptions: 1)).isEmpty)
    #expect(warnings(.init(seconds: 0.1, waited: 0.009, longestWait: 0.009, preemptions: 19)).isEmpty)
    #expect(warnings(.init(seconds: 0.1, waited: 0.011, longestWait: 0.011)).count == 1)
    #expect(warnings(.init(seconds: 0.1, preemptions: 20)).count == 1)
  }

  @Test("A run that was held up in one piece is named")
  func stopped() {
    let held = warnings(.init(seconds: 100, waited: 1.5, longestWait: 1.04))
    #expect(held.count == 1 && held[0].contains("a run of chatty/syscall/emulate was held up for 1.0 s"))
  }

  @Test("Signals that nobody here ordered are told of, from the first on")
  func signals() {
    let one = warnings(.init(seconds: 1, signals: 1))
    #expect(one.count == 1 && one[0].hasPrefix("1 signal interrupted guests"))
    #expect(warnings(.init(seconds: 1, signals: 4711))[0].hasPrefix("4711 signals interrupted guests"))
  }

  @Test("Means far above medians are told of, and the worst of them is named")
  func means() {
    let skewed = warnings(nil) { cell in
      for index in cell.rounds.indices { cell.rounds[index][9] = 200_000 }
    }
    #expect(skewed.count == 1)
    #expect(skewed[0].hasPrefix("in 1 of 2 cells the mean is more than 2 times the median (10."), "\(skewed)")
  }

  @Test("Beside a neighbour all of that is what is measured")
  func company() {
    let all = CellRecord.Disturbance(seconds: 1, waited: 0.9, longestWait: 0.9, preemptions: 999, signals: 9)
    #expect(warnings(all, beside: .sameCPU).isEmpty)
    #expect(warnings(all).count == 3)
  }

  @Test("Runs add up, and the longest wait is that of one run")
  func sum() {
    let (one, other) = (
      CellRecord.Disturbance(seconds: 1, waited: 0.25, preemptions: 2),
      CellRecord.Disturbance(seconds: 2, waited: 0.125, preemptions: 3, signals: 1)
    )
    #expect(one + other == .init(seconds: 3, waited: 0.375, longestWait: 0.25, preemptions: 5, signals: 1))
  }

  @Test("A report of what a report was made of does not say it twice")
  func twice() {
    var cell = MadeUp.cell("bare", "emulate", cost: 700)
    cell.disturbance = .init(seconds: 1, signals: 3)
    let report = MadeUp.report([cell])
    #expect(BenchReport(report.record).warnings == report.warnings && report.warnings.count == 1)
  }
}
