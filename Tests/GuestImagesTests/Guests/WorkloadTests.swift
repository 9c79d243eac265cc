// Which workloads run under which entries, and what they say that they will do.

import Registers
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
    arguments: Combination.impossible)
  func refuses(combination: Combination) {
    #expect {
      try combination.image()
    } throws: { error in
      guard case GuestImageError.noSuchEntry(let workload, combination.entry) = error else { return false }
      return workload.name == combination.workload
        && "\(error)"
          == "workload \(combination.workload.rawValue) does not run with entry \(combination.entry.rawValue); it runs with none"
    }
  }

  @Test(
    "says what it will do in all, from what it does at boot and at each entry",
    arguments: [
      (Workload.Name.bare, 0, 0, 0), (.ibrs, 0, 2000, 0), (.ibrsAll, 0, 1, 0), (.ibrsForced, 0, 1001, 0),
      (.ibrsZero, 0, 2000, 0), (.retpoline, 0, 0, 0),
      (.indirect, 0, 0, 0), (.chatty, 0, 0, 1000), (.phases, 0, 1000, 500), (.probe, 4000, 3000, 0),
      (.ibpb, 0, 1000, 0),
      (.ssbd, 0, 1000, 0), (.wrmsr, 0, 1000, 0), (.rdmsr, 1000, 0, 0), (.out, 0, 0, 1000),
    ])
  func arithmetic(name: Workload.Name, reads: UInt64, writes: UInt64, outs: UInt64) {
    #expect(
      Workload(name).actions(iterations: 1000) == Workload.Actions(reads: reads, writes: writes, outs: outs))
    #expect(Workload(name).actions(iterations: 0) == Workload(name).atBoot)
  }

  @Test("counts what its parameters say", arguments: [0, 1, 2, 7], [0, 3])
  func parameters(writes: Int, exits: Int) {
    let workload = Workload.ibrs(writes: writes, exits: exits)
    #expect(
      workload.actions(iterations: 10) == Workload.Actions(writes: UInt64(writes) * 10, outs: UInt64(exits) * 10))
    #expect(workload.namedParameters == ["writesPerEntry": writes, "exitsPerEntry": exits, "userBranches": 0])
    #expect(workload.writtenBits == (writes > 0 ? 1 : 0) && workload.accessesMSR == (writes > 0))
  }

  @Test(
    "with phases counts those of each kind, also where the last is not whole",
    arguments: [
      (1, 0, 0, 0), (1, 1, 2, 0), (1, 2, 2, 1), (1, 7, 8, 3), (3, 3, 6, 0), (3, 4, 6, 1), (3, 6, 6, 3), (3, 8, 10, 3),
      (100, 99, 198, 0), (100, 250, 300, 100), (100, 1000, 1000, 500),
    ] as [(Int, UInt64, UInt64, UInt64)])
  func phases(length: Int, iterations: UInt64, writes: UInt64, outs: UInt64) {
    let workload = Workload.phases(length: length)
    #expect(workload.actions(iterations: iterations) == Workload.Actions(writes: writes, outs: outs))
    #expect(workload.namedParameters == ["phaseLength": length])
  }

  @Test("of one instruction counts it once an iteration, and its baseline nothing")
  func primitives() {
    let counted: [(Workload.Name, Workload.Actions)] = [
      (.wrmsr, .init(writes: 5)), (.rdmsr, .init(reads: 5)), (.cpuid, .init(cpuids: 5)), (.out, .init(outs: 5)),
      (.outTwice, .init(outs: 10)), (.outInterrupted, .init(outs: 5, interruptions: 5)), (.mmio, .init(stores: 5)),
      (.hlt, .init(halts: 5)), (.delay, .init()),
    ]
    #expect(counted.map(\.0) == Workload.Name.allCases.filter { $0.kind == .primitive })
    for (name, actions) in counted {
      #expect(Workload(name).actions(iterations: 5) == actions)
      #expect(Workload(name).baseline?.actions(iterations: 5) == Workload.Actions())
    }
    for name in Workload.Name.allCases where name.kind == .workload { #expect(Workload(name).baseline == nil) }
  }

  @Test("counts as far as the samples reach: the largest order in every record")
  func largest() {
    let iterations = UInt64(UInt32.max) * UInt64(SampleRecord.maximumCount)
    #expect(Workload(.probe).actions(iterations: iterations).reads == 4 * iterations)
  }

  @Test("keeps the MSR that it is about", arguments: Workload.Name.allCases)
  func subject(name: Workload.Name) {
    #expect(Workload(name).msr == (name == .ibpb ? .predCmd : .specCtrl))
    #expect(name.ownMSR == (name == .ibpb ? .predCmd : nil))
    #expect(Workload(name, msr: .kernelGSBase).msr == .kernelGSBase)
  }

  @Test("has those of its parameters that are chosen by name, and the usual value of each other one")
  func chosenByName() throws {
    for parameter in Workload.Parameter.allCases {
      #expect(parameter.values.contains(parameter.usual) && !parameter.workloads.isEmpty)
      for name in parameter.workloads {
        let value = parameter.usual + 1
        let workload = try Workload(name, msr: .specCtrl, parameters: [parameter.rawValue: value])
        #expect(workload.parameters == Workload(name).parameters.merging([parameter: value]) { $1 }, "\(name)")
        #expect(
          try Workload(name, msr: .specCtrl, parameters: workload.namedParameters).parameters == workload.parameters)
        let beyond = [parameter.rawValue: parameter.values.upperBound + 1]
        #expect(throws: WorkloadParameterError.self) { try Workload(name, msr: .specCtrl, parameters: beyond) }
      }
      for name in Workload.Name.allCases where !parameter.workloads.contains(name) {
        let foreign = [parameter.rawValue: parameter.usual]
        #expect(throws: WorkloadParameterError.self) { try Workload(name, msr: .specCtrl, parameters: foreign) }
      }
    }
  }
}
