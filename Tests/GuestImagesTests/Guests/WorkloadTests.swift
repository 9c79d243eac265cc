// Which workloads run under which entries, and what they say that they will do.

import Testing

@testable import GuestImages

@Suite("A workload")
struct WorkloadTests {
  @Test("runs under the entries that make sense for it", arguments: Combination.possible)
  func builds(combination: Combination) throws {
    let image = try combination.image()
    #expect(image.workload.name == combination.workload)
    #expect(image.entry == combination.entry)
    #expect(!image.workload.summary.isEmpty)
  }

  @Test(
    "refuses an entry that makes no sense, and says which do",
    arguments: Combination.all.filter { !Combination.possible.contains($0) })
  func refuses(combination: Combination) {
    #expect {
      try combination.image()
    } throws: { error in
      guard case GuestImageError.noSuchEntry(let workload, combination.entry) = error else { return false }
      return workload.name == combination.workload
        && "\(error)" == "workload probe does not run with entry \(combination.entry.rawValue); it runs with none"
    }
  }

  @Test(
    "says what it will do in all, from what it does at boot and at each entry",
    arguments: [
      (Workload.Name.bare, 0, 0, 0), (.ibrs, 0, 2000, 0), (.ibrsAll, 0, 1, 0), (.retpoline, 0, 0, 0),
      (.indirect, 0, 0, 0), (.chatty, 0, 0, 1000), (.probe, 4000, 3000, 0),
    ])
  func arithmetic(name: Workload.Name, reads: UInt64, writes: UInt64, outs: UInt64) {
    #expect(
      Workload(name).actions(iterations: 1000) == Workload.Actions(reads: reads, writes: writes, outs: outs))
    #expect(Workload(name).actions(iterations: 0) == Workload(name).atBoot)
  }

  @Test("counts as far as the samples reach: the largest order in every record")
  func largest() {
    let iterations = UInt64(UInt32.max) * UInt64(SampleRecord.maximumCount)
    #expect(Workload(.probe).actions(iterations: iterations).reads == 4 * iterations)
  }

  @Test("keeps the MSR that it is about", arguments: Workload.Name.allCases)
  func subject(name: Workload.Name) {
    #expect(Workload(name).msr == 0x48)
    #expect(Workload(name, msr: 0xc000_0102).msr == 0xc000_0102)
  }
}
