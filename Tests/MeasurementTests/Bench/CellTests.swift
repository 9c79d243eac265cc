import Registers
import TestSupport
import Testing

@testable import Measurement

struct CellTests {
  @Test("A cell's id says what it is, and leaves out what goes without saying")
  func identifiers() {
    func id(
      _ workload: Known<WorkloadName>, _ entry: Known<Entry>, _ policy: Known<PolicyName>, msr: Known<MSR>? = nil,
      beside: CellRecord.Neighbour? = nil, writes: Int = 0, exits: Int = 0
    ) -> String {
      CellRecord.identifier(
        workload: workload, entry: entry, policy: policy, msr: msr, neighbour: beside, writesPerEntry: writes,
        exitsPerEntry: exits)
    }
    #expect(id("ibrs", "syscall", "emulate", msr: "0x48", writes: 2) == "ibrs/syscall/emulate")
    #expect(id("ibrs", "syscall", "manual", msr: "0x48", writes: 4, exits: 2) == "ibrs/syscall/manual/w4/x2")
    #expect(id("wrmsr", "none", "passthrough", msr: "0x3b", writes: 1) == "wrmsr/none/passthrough/0x3b")
    #expect(
      id("chatty", "syscall", "emulate", beside: .sameCPU, exits: 1) == "chatty/syscall/emulate+neighbour-same-cpu")
  }

  @Test("The summary is of all rounds without their warm-up, which is counted and kept")
  func warmUp() throws {
    var cell = MadeUp.cell("bare", "passthrough", cost: 100, rounds: 0)
    #expect(!cell.isMeasured)
    for _ in 0..<3 { cell.add(round: [900, 400, 100, 101, 102, 100, 99, 98, 101, 100]) }
    let measured = MadeUp.report([cell]).cells[0]
    #expect(measured.warmUp == [2, 2, 2])
    #expect(measured.record == cell && cell.rounds[0].count == 10)
    #expect(try #require(measured.summary).count == 24)
    #expect(try #require(measured.summary).maximum == 102)
    #expect(cell.settledRounds[1].first == 100 && measured.settledRounds == cell.settledRounds)
  }

  @Test(
    "In a benchmark, a median's interval is that of its rounds: samples that resemble each other say less than their number"
  )
  func intervalFromRounds() throws {
    // Each round is in a mood of its own, and its samples tell nothing new.
    func moody(rounds: Int) -> CellRecord {
      var cell = MadeUp.cell("bare", "passthrough", cost: 100, rounds: 0)
      for round in 0..<rounds { cell.add(round: (0..<10).map { 100 + Double(round) * 10 + Double($0) / 100 }) }
      return cell
    }
    let cell = moody(rounds: 8)
    let plain = try #require(Distribution(cell.settledRounds.flatMap { $0 }))
    let report = MadeUp.report([cell])
    let summary = try #require(report.cells[0].summary)
    let interval = try #require(summary.medianInterval95)
    #expect(try interval.width > 1.5 * #require(plain.medianInterval95).width)
    #expect(interval.contains(summary.median))
    #expect(report.cells[0].record == cell && summary.mean == plain.mean)
    #expect(BenchReport(report.record) == report)
    let few = moody(rounds: 4)
    #expect(
      MadeUp.report([few]).cells[0].summary == Distribution(few.settledRounds.flatMap { $0 }),
      "too few rounds to draw from")
  }

  @Test("A median's interval from rounds holds the true median in 95 of 100 cases, as far as 100 can tell")
  func coverage() throws {
    var noise = SimulatedNoise(seed: 1302)
    noise.roundCount = 8
    noise.mood = 0.02
    noise.drift = 0
    var held = (rounds: 0, samples: 0)
    for trial in 0..<100 {
      var cell = MadeUp.cell("bare", "passthrough", cost: 1, rounds: 0)
      for round in noise.pair(factor: 1).cell { cell.add(round: round) }
      func holds(_ summary: Distribution?) throws -> Bool {
        let interval = try #require(summary?.medianInterval95)
        // One sample in twenty is an outlier above: the median is as much as the normal's quantile of 0.526, 0.066,
        // higher.
        let truth = 1000 * (1 + 0.066 * (0.02 * 0.02 + 0.01 * 0.01).squareRoot())
        return interval.contains(truth)
      }
      held.samples += try holds(Distribution(cell.settledRounds.flatMap { $0 })) ? 1 : 0
      held.rounds += try holds(MadeUp.report([cell], seed: UInt64(trial)).cells[0].summary) ? 1 : 0
    }
    #expect(100 - held.rounds <= Binomial.bound(trials: 100, share: 0.05))
    #expect(100 - held.samples > Binomial.bound(trials: 100, share: 0.05), "samples of a round resemble each other")
  }

  @Test("Where a primitive that writes no MSR ends is told by its exits")
  func end() {
    func end(_ vmm: Double?, _ kvm: Double?, entry: Known<Entry> = "none", writes: Int = 0) -> CellRecord.Place {
      CellRecord(
        workload: "cpuid", entry: entry, policy: "emulate", writesPerEntry: writes, place: .none, vmmExitsPerEntry: vmm,
        kvmExitsPerEntry: kvm
      ).end
    }
    #expect(end(1, 1) == .vmm)
    #expect(end(0, 1.01) == .kvm)
    #expect(end(0, 0.01) == .none)
    #expect(end(1, nil) == .vmm)
    #expect(end(1, 1, entry: "syscall") == .none)
    #expect(end(1, 1, writes: 1) == .none)
  }
}
