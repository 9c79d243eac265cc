import Measurement
import Testing

struct CellTests {
  @Test("A cell's id says what it is, and leaves out what goes without saying")
  func identifiers() {
    func id(
      _ workload: String, _ entry: String, _ policy: String, msr: String? = nil,
      beside: BenchReport.Cell.Neighbour? = nil, writes: Int = 0, exits: Int = 0
    ) -> String {
      BenchReport.Cell.identifier(
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
    #expect(cell.warmUp == [2, 2, 2])
    #expect(cell.rounds[0].count == 10)
    #expect(try #require(cell.summary).count == 24)
    #expect(try #require(cell.summary).maximum == 102)
    #expect(cell.settledRounds[1].first == 100)
  }

  @Test("Where a primitive that writes no MSR ends is told by its exits")
  func end() {
    func end(_ vmm: Double?, _ kvm: Double?, entry: String = "none", writes: Int = 0) -> BenchReport.Cell.Place {
      BenchReport.Cell(
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
