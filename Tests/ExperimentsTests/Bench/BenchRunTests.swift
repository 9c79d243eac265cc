// A benchmark in which something goes wrong: the cell says so, and the rest goes on.

import Hypervisor
import Measurement
import Testing
import TestSupport

@testable import Experiments
@testable import GuestImages

extension BenchesInTurn {
  @Suite("A benchmark")
  struct BenchRunTests {
    private func made(_ body: @escaping @Sendable (inout Assembler) -> Void) -> Workload {
      var workload = Workload(.bare)
      workload.body = body
      return workload
    }

    @Test("reports a guest that faults, one that hangs and one that contradicts its witnesses, and measures the rest")
    func failures() throws {
      var liar = Workload(.chatty)
      liar.perIteration.outs = 2
      let hang = made { asm in
        asm.bind("for ever")
        asm.jmp("for ever")
      }
      let report = try Bench.report(
        of: [("good", .bare), ("fault", made { $0.ud2() }), ("hang", hang), ("liar", liar), ("other", .delay(9))],
        for: .seconds(2), control: RunControl(timeLimit: .milliseconds(500)))

      let reasons = [("fault", "exception"), ("hang", "too long"), ("liar", "contradict")]
      for (id, word) in reasons {
        let cell = try #require(report.cell(id))
        #expect(cell.status == (id == "liar" ? .void : .failed) && !cell.isMeasured)
        #expect(cell.reason?.contains(word) == true, "\(cell.reason ?? "none")")
      }
      for id in ["good", "other"] {
        let cell = try #require(report.cell(id))
        #expect(cell.isMeasured && cell.iterationsPerSample > 0 && !cell.rounds.isEmpty)
      }
      #expect(report.ended == .time && !report.partial)
      #expect(report.cells.map(\.id) == ["good", "fault", "hang", "liar", "other"], "each in its place")
    }

    @Test("of so many rounds measures each cell so often, although there is no time and all is known long before")
    func rounds() throws {
      var options = BenchOptions()
      options.rounds = 7
      options.spread = .zero
      options.time = .nanoseconds(1)
      options.precision = 1
      var shares: [Double] = []
      let report = try Bench.report(of: (0..<3).map { ("cell \($0)", .delay($0)) }, options) { shares.append($0) }
      #expect(report.ended == .rounds && !report.partial)
      #expect(report.cells.allSatisfy { $0.isMeasured && $0.rounds.count == 7 })
      #expect(report.roundBudget == 7 && report.timeBudget == nil && report.precision == nil)
      #expect(shares.count == 21 && shares == shares.sorted() && shares.last == 1)
    }

    @Test("of so many rounds spreads them over the time that they are to show, and no longer once it is cancelled")
    func spread() throws {
      var options = BenchOptions()
      options.rounds = 4
      options.spread = .milliseconds(800)
      let report = try Bench.report(of: [("cell", .delay(9))], options)
      #expect(report.ended == .rounds && report.cells[0].rounds.count == 4)
      // The last of four rounds is due after three quarters of the span.
      #expect(report.elapsed >= 0.6)

      options.spread = .seconds(3600)
      let control = Bench.makeControl()
      let cut = try Bench.report(of: [("cell", .delay(9))], options, control: control) { _ in control.cancel() }
      #expect(cut.ended == .cancelled && cut.cells[0].rounds.count == 1)
    }

    @Test("spreads rounds that are enough for an interval, and none where the clock counts instructions")
    func span() {
      var options = BenchOptions()
      #expect(options.span(countsInstructions: false) == .zero, "time decides")
      for (rounds, span) in [(1, Duration.zero), (4, .zero), (5, BenchOptions.usualSpread), (100, .seconds(20))] {
        options.rounds = rounds
        #expect(options.span(countsInstructions: false) == span)
        #expect(options.span(countsInstructions: true) == .zero)
      }
      options.spread = .seconds(60)
      options.rounds = 2
      #expect(options.span(countsInstructions: false) == .seconds(60))
      #expect(options.span(countsInstructions: true) == .zero)
      options.spread = .zero
      options.rounds = 100
      #expect(options.span(countsInstructions: false) == .zero)
    }

    @Test("that is cancelled gives what it has measured, and says that this is not all")
    func cancelled() throws {
      let control = Bench.makeControl()
      var calls = 0
      let report = try Bench.report(
        of: (0..<6).map { ("cell \($0)", .delay($0)) }, for: .seconds(60), control: control
      ) { _ in
        calls += 1
        if calls == 9 { control.cancel() }
      }
      #expect(report.partial && report.ended == .cancelled && report.elapsed < 30)
      #expect(report.cells.map(\.rounds.count).reduce(0, +) == 9, "a round for each time that progress was told")
      #expect(report.cells.allSatisfy { $0.isMeasured })
      #expect(report.verdicts.count == BenchReport.Claim.allCases.count, "the claims are judged by what there is")
    }

    @Test("that is cancelled before it begins has measured nothing")
    func cancelledBefore() throws {
      let control = Bench.makeControl()
      control.cancel()
      let report = try Bench.report(of: [("cell", .bare)], for: .seconds(60), control: control)
      #expect(report.partial && report.cells.allSatisfy { $0.rounds.isEmpty && !$0.isMeasured })
    }

    @Test(
      "measures each cell once, with samples of the length that they are to have, even where there is no time for it")
    func noTime() throws {
      let report = try Bench.report(of: (0..<4).map { ("cell \($0)", .delay($0)) }, for: .nanoseconds(1))
      #expect(report.cells.allSatisfy { $0.isMeasured && $0.rounds.count == 1 && $0.iterationsPerSample > 1 })
    }
  }

  @Suite("A cell under adaptive")
  struct AdaptiveCellTests {
    private static let msr = MSR.kernelGSBase

    private func measured(_ workload: Workload) throws -> CellMeter? {
      guard let terms = try Host.proved().terms[Self.msr], terms.abilities.register.isHeld else { return nil }
      let experiment = try Experiment(
        running: workload, entry: .none, policy: .adaptive, msr: Self.msr, iterations: 1, samples: 1)
      let cell = CellRecord(
        workload: workload.name, entry: .known(.none), policy: .known(.adaptive), msr: .known(Self.msr),
        writesPerEntry: Int(workload.perIteration.writes), exitsPerEntry: Int(workload.perIteration.outs))
      var meter = CellMeter(
        PlannedCell(cell: cell, experiment: experiment, terms: terms, neighbour: nil),
        Sampling(hertz: 5e6))
      meter.calibrate(on: try KVM(), control: Bench.makeControl())
      meter.round(on: try KVM(), control: Bench.makeControl())
      return meter
    }

    @Test("is measured when the register is open to a guest that writes, and its writes do not count as trapped")
    func writer() throws {
      guard let meter = try measured(.ibrs(Self.msr)) else { return }
      #expect(meter.record(against: nil).isMeasured && meter.rounds.map(\.count) == [8])
      #expect(meter.record(against: nil).vmmExitsPerEntry == 0 && meter.record(against: nil).place != .vmm)
    }

    @Test("is measured as it is of a guest that does not write")
    func bystander() throws {
      guard let meter = try measured(Workload(.chatty)) else { return }
      #expect(meter.record(against: nil).isMeasured && meter.record(against: nil).vmmExitsPerEntry == 1)
    }
  }

  @Suite("A cell beside a neighbour")
  struct NeighbourTests {
    private func meter() throws -> CellMeter {
      CellMeter(
        try PlannedCell("bystander", Workload(.chatty), on: try KVM()), Sampling(hertz: 5e6))
    }

    @Test("is measured while the neighbour writes, under every policy and on every processor that there is")
    func everywhere() throws {
      var options = BenchOptions()
      options.selection.workloads = [.chatty]
      options.time = .nanoseconds(1)
      var bench = try Bench(options)
      let report = try bench.run(control: Bench.makeControl()) { _ in }
      let beside = report.cells.filter { $0.neighbour != nil }
      #expect(beside.count == 2 * PolicyName.allCases.count)
      for cell in beside {
        #expect(cell.isMeasured || cell.status == .unsupported, "\(cell.id): \(cell.status), \(cell.reason ?? "")")
      }
      #expect(beside.contains { $0.neighbour == .sameCPU && $0.isMeasured })
    }

    @Test("counts only where the neighbour wrote meanwhile: else it is void, with that reason")
    func idleNeighbour() throws {
      var meter = try meter()
      meter.calibrate(on: try KVM(), control: Bench.makeControl())
      meter.round(on: try KVM(), control: Bench.makeControl(), neighbourWrites: { 7 })
      #expect(meter.record(against: nil).status == .void && meter.rounds.isEmpty)
      #expect(meter.record(against: nil).reason?.contains("neighbour wrote nothing") == true)
    }

    @Test("takes a round again in which the neighbour did not write")
    func lateNeighbour() throws {
      var meter = try meter()
      meter.calibrate(on: try KVM(), control: Bench.makeControl())
      var readings = [7, 7, 7, 64].makeIterator()
      meter.round(
        on: try KVM(), control: Bench.makeControl(), neighbourWrites: { UInt64(readings.next() ?? 0) })
      #expect(meter.record(against: nil).status == .measured && meter.rounds.count == 1)
    }

    @Test("fails with the reason where the neighbour cannot run on its processor")
    func noProcessor() throws {
      let plan = try PlannedCell("bystander", Workload(.chatty), on: try KVM())
      let neighbour = try Neighbour(
        on: 8191, beside: try #require(plan.experiment), terms: plan.terms, path: KVM.defaultPath)
      #expect(neighbour.awaitWriting(within: .seconds(20))?.contains("neighbour failed") == true)
      neighbour.stop()
    }
  }
}
