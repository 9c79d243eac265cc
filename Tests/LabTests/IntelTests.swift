// Real kvm_intel with SPEC_CTRL and IBRS_ALL: each policy does what it says.

import Measurement
import Registers
import TestSupport
import Testing

@Suite("kvm_intel with SPEC_CTRL", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct IntelTests {
  let host = LabHost.intel

  @Test func `SPEC_CTRL is proved by a guest's write that reads back`() async throws {
    let proof = try #require(try await host.probe().specCtrlProof)
    #expect(proof.works == true)
    #expect(proof.seen == "a guest wrote 0x1, and it read back")
  }

  @Test func `guests see IBRS_ALL`() async throws {
    let probed = try await host.probe()
    #expect(probed.module == "kvm_intel")
    #expect(probed.speculation.kvm?.ibrsAll == true)
    for command in ["passthrough", "emulate", "autoload-exits"] {
      #expect(try await host.run(command).guest.sees?.ibrsAll == true, "\(command)")
    }
  }

  @Test func `passthrough: no MSR access exits to the VMM, and KVM's exits do not grow with iterations`() async throws {
    let fewer = try await host.run("passthrough")
    let more = try await host.run("passthrough-more")
    for report in [fewer, more] {
      #expect(report.guest.expected.msrWrites == 2 * report.iterations)
      #expect(report.exits.byMSR.isEmpty)
      #expect(report.exits.byReason == ["portOut": 1])
    }
    let light = (try #require(fewer.kvm.lightExits), try #require(more.kvm.lightExits))
    #expect(max(light.0, light.1) <= 40, "first touches of pages, one by one")
    // Nine times as many iterations take less than one tick of the timer more.
    #expect(max(light.0, light.1) - min(light.0, light.1) <= 2)
  }

  @Test func `a guest that writes only 0 is trapped at each write, and each is ended by KVM`() async throws {
    try await expectLightExits(on: host)
  }

  @Test(arguments: ["emulate", "emulate-more"])
  func `emulate: each iteration exits twice, exactly, and the register stays at IBRS`(command: String) async throws {
    let report = try await host.run(command)
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * report.iterations)])
    #expect(report.exits.byReason == ["writeMSR": 2 * report.iterations, "portOut": 1])
    #expect(report.protection.level == .always)
    #expect(report.msr.registerStart == 1)
    #expect(report.msr.registerEnd == 1)
    #expect(report.msr.end == 0, "what the guest wrote last")
  }

  @Test func `autoload: the three lists are processed once per exit`() async throws {
    let report = try await host.run("autoload-exits")
    #expect(report.exits.total == report.iterations + 1)
    #expect(report.exits.byReason == ["portOut": report.iterations + 1])
    let entries = report.exits.total + report.exits.interruptions
    #expect(report.policyTally == ["entryLoads": entries, "exitStores": entries, "exitLoads": entries])
  }

  @Test func `autoload: the guest's last value is kept, and the register goes back to the host's`() async throws {
    let report = try await host.run("autoload-kept")
    #expect(report.guest.expected.msrWrites == 1)
    #expect(report.exits.byMSR.isEmpty)
    #expect(report.msr.start == 0)
    #expect(report.msr.end == 1)
    #expect(report.msr.registerStart == 0)
    #expect(report.msr.registerEnd == 0)
  }

  @Test(arguments: ["passthrough", "emulate", "autoload", "manual", "shadow", "adaptive"])
  func `a reserved bit faults in the guest and changes nothing`(policy: String) async throws {
    let report = try await host.run("probe-\(policy)")
    #expect(report.guest.probe == ProbeExpectation.steps)
    let trapped = ["emulate", "shadow", "adaptive"].contains(policy)
    #expect(report.exits.byMSR == (trapped ? [.known(.specCtrl): .init(reads: 4, writes: 3)] : [:]))
  }

  @Test(arguments: [("emulate", "emulate-again"), ("autoload-exits", "autoload-exits-again")])
  func `the same command gives the same instructions per iteration`(first: String, second: String) async throws {
    let cycles = try #require(try await host.run(first).guest.cyclesPerIteration)
    #expect(try await host.run(second).guest.cyclesPerIteration == cycles)
  }

  @Test func `a benchmark finds a known delay of 100 instructions, to the instruction`() async throws {
    let result = try await host.result("delay")
    try #require(result.status == 0, "\(result.error)")
    let rows = result.output.split(separator: "\n").map { $0.split(separator: " ").prefix(7) }
    #expect(rows.contains(["delay", "100"]), "\(result.output)")
  }

  @Test func `a benchmark gives the same figures in another order and at another time, every cell of it`() async throws
  {
    for bench in ["bench", "bench-again"] {
      let result = try await host.result(bench)
      try #require(result.status == 0, "\(result.error)")
    }
    let comparison = try await host.comparison()
    #expect(comparison.unit == "instructions", "else the samples are no counts")
    #expect(comparison.environment.isEmpty)
    #expect(comparison.changes(threshold: 0.001) == [])
    for cell in comparison.cells { #expect(abs(cell.ratio - 1) < 0.001, "\(cell.cell): \(cell.ratio)") }
    // The cells of a writer beside it are among them.
    let ids = Set(comparison.cells.map(\.cell))
    for policy in ["passthrough", "emulate", "autoload", "manual", "shadow"] {
      for work in ["bare", "ibrs", "ibrs-all", "retpoline", "indirect", "ssbd", "chatty"] {
        #expect(ids.contains("\(work)/syscall/\(policy)"), "\(work) under \(policy)")
      }
      #expect(ids.contains("chatty/syscall/\(policy)+neighbour-same-cpu") && ids.contains("wrmsr/none/\(policy)"))
    }
    #expect(try await host.result("compare").status == 0)
  }
}

@Suite("kvm_intel with SPEC_CTRL and without IBRS_ALL", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct IBRSTests {
  let host = LabHost.intelIBRS

  @Test func `guests have SPEC_CTRL and see no IBRS_ALL, and the kernel writes IBRS for itself`() async throws {
    let probed = try await host.probe()
    #expect(try #require(probed.specCtrlProof).works == true)
    #expect(probed.speculation.kvm?.ibrsAll == false)
    #expect(probed.vulnerabilities["spectre_v2"]?.hasPrefix("Mitigation: IBRS;") == true)
    #expect(try await host.run("passthrough").guest.sees?.ibrsAll == false)
  }

  @Test func `a guest that writes only 0 is trapped at each write, and each is ended by KVM`() async throws {
    try await expectLightExits(on: host)
  }

  @Test func `passthrough is the guest's, emulate protects nothing, and both count exactly`() async throws {
    let passed = try await host.run("passthrough")
    #expect(passed.exits.byMSR.isEmpty && passed.protection.level == .guest)
    let emulated = try await host.run("emulate")
    #expect(emulated.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * emulated.iterations)])
    #expect(emulated.protection.level == ProtectionLevel.none)
  }
}

/// What the workload `probe` sees of a register that holds IBRS and refuses a reserved bit.
enum ProbeExpectation {
  static let steps: [RunReport.ProbeStep] = [
    .init(step: "readAtStart", faulted: false, value: 0),
    .init(step: "writeOne", faulted: false, value: 1),
    .init(step: "readOne", faulted: false, value: 1),
    .init(step: "writeReserved", faulted: true, value: 1 << 63),
    .init(step: "readAfterReserved", faulted: false, value: 1),
    .init(step: "writeZero", faulted: false, value: 0),
    .init(step: "readAtEnd", faulted: false, value: 0),
  ]
}

/// KVM traps SPEC_CTRL until a guest's first write that is not 0, and ends what it traps: no exit to the VMM, one more
/// of KVM's for each access.
private func expectLightExits(on host: LabHost) async throws {
  for (command, accesses) in [("zero", 2), ("read", 1)] as [(String, UInt64)] {
    let report = try await host.run(command)
    #expect(report.exits.byReason == ["portOut": 1], "\(command)")
    let (reads, writes) = (report.guest.expected.msrReads, report.guest.expected.msrWrites)
    #expect(reads + writes == accesses * report.iterations, "\(command)")
    let light = try #require(report.kvm.lightExits)
    // First touches of pages, one by one, and a tick or two.
    #expect((reads + writes...reads + writes + 60).contains(light), "\(command): \(light)")
  }
}
