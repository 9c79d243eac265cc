// Real KVM without SPEC_CTRL: what cannot be honoured is refused, and what runs says that it does not protect.

import FoundationEssentials
import Measurement
import Registers
import TestSupport
import Testing

@Suite("kvm_intel without SPEC_CTRL", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct OldIntelTests {
  let host = LabHost.intelOld

  @Test(arguments: ["passthrough", "autoload", "manual"])
  func `a policy that needs the register is refused with the reason`(policy: String) async throws {
    try await expectRefusal(of: policy, on: host)
  }

  @Test func `emulate runs, exactly, and says that it protects nothing`() async throws {
    let report = try await host.run("emulate")
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * report.iterations)])
    #expect(report.protection.level == ProtectionLevel.none)
    #expect(report.protection.reason.contains("no IBRS_ALL"))
    let text = try await host.result("emulate-text")
    #expect(text.status == 0)
    let line = text.output.split(separator: "\n").first { $0.hasPrefix("protects ") }
    #expect(line?.contains("no; the guest's writes change nothing") == true)
  }

  @Test func `adaptive is emulate, exactly, and says that it never opens a register that is not there`() async throws {
    let report = try await host.run("adaptive")
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * report.iterations)])
    #expect(report.policyTally == ["opens": 0, "closes": 0, "openAtEnd": 0])
    #expect(report.protection.level == ProtectionLevel.none)
    #expect(report.protection.reason.contains("never opened to the guest: guests of this KVM have no IA32_SPEC_CTRL"))
  }
}

@Suite("kvm_amd without SPEC_CTRL", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct AMDTests {
  let host = LabHost.amd

  @Test(arguments: ["passthrough", "autoload", "manual"])
  func `a policy that needs the register is refused with the reason`(policy: String) async throws {
    try await expectRefusal(of: policy, on: host)
  }

  /// What a workload makes exit to the VMM: at boot, at each iteration, and OUTs beside that in all 1000.
  struct Exits: Sendable {
    var reason = "portOut"
    var each: UInt64 = 0
    var atBoot: UInt64 = 0
    var outs: UInt64 = 0
    var entry = Entry.syscall
  }

  private static let workloads: [String: Exits] = [
    "bare": Exits(), "ibrs": Exits(reason: "writeMSR", each: 2), "ibrs-all": Exits(reason: "writeMSR", atBoot: 1),
    "ibrs-forced": Exits(reason: "writeMSR", each: 1, atBoot: 1),
    "ibrs-zero": Exits(reason: "writeMSR", each: 2),
    "retpoline": Exits(), "indirect": Exits(), "chatty": Exits(each: 1),
    // Half of the entries write twice, the other half exits.
    "phases": Exits(reason: "writeMSR", each: 1, outs: 500),
    "wrmsr": Exits(reason: "writeMSR", each: 1, entry: .none), "rdmsr": Exits(reason: "readMSR", each: 1, entry: .none),
    "cpuid": Exits(entry: .none),
    "out": Exits(each: 1, entry: .none), "out-twice": Exits(each: 2, entry: .none),
    "out-interrupted": Exits(each: 1, entry: .none), "mmio": Exits(reason: "mmioWrite", each: 1, entry: .none),
    "hlt": Exits(reason: "halt", each: 1, entry: .none), "delay": Exits(entry: .none),
  ]
  /// What a guest of this host cannot do: it has no IA32_PRED_CMD, and no SSBD in SPEC_CTRL.
  private static let refusals = [
    "ibpb": "guests of this KVM cannot use IA32_PRED_CMD (0x49)", "ssbd": "it writes SSBD to IA32_SPEC_CTRL",
  ]

  @Test(arguments: workloads.keys.sorted())
  func `each workload runs under emulate, by SYSCALL where it has user mode, with exact counts`(
    workload: String
  ) async throws {
    let expected = try #require(Self.workloads[workload])
    let report = try await host.run(workload)
    #expect(report.entry == expected.entry)
    #expect(report.completed)
    #expect(report.iterations == 1000)
    #expect(report.guest.kernelEntries == 1000)
    var exits: [String: UInt64] = ["portOut": 1 + expected.outs]
    let made = 1000 * expected.each + expected.atBoot
    if made > 0 { exits[expected.reason, default: 0] += made }
    #expect(report.exits.byReason == exits)
  }

  @Test(arguments: refusals.keys.sorted())
  func `a workload about a bit that the host does not have is refused with the reason`(workload: String) async throws {
    let result = try await host.result(workload)
    #expect(result.status == 69)
    #expect(result.error.contains(try #require(Self.refusals[workload])), "\(result.error)")
  }

  @Test func `no workload is left out above`() async throws {
    struct Inventory: Decodable {
      struct Item: Decodable { let name: String }
      let workloads: [Item]
      let primitives: [Item]
    }
    let result = try await host.result("list")
    let inventory = try JSONDecoder().decode(Inventory.self, from: Data(result.output.utf8))
    let names = Set((inventory.workloads + inventory.primitives).map(\.name))
    #expect(names == Set(Self.workloads.keys).union(Self.refusals.keys).union(["probe"]))
  }

  @Test func `the workload probe runs without a kernel entry, with exact counts`() async throws {
    let report = try await host.run("probe-emulate")
    #expect(report.entry == Entry.none)
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 4, writes: 3)])
    #expect(report.guest.probe == ProbeExpectation.steps)
  }
}

private func expectRefusal(of policy: String, on host: LabHost) async throws {
  let result = try await host.result(policy)
  #expect(result.status == 69)
  #expect(!result.output.contains { !$0.isWhitespace }, "a refusal is no result")
  #expect(
    result.error.contains(
      "policy \(policy) cannot run on this host: guests of this KVM have no IA32_SPEC_CTRL (0x48): "
        + "a guest that wrote 0x1 got a #GP"))
}
