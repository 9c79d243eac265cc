// The two hardware answers to the switching of SPEC_CTRL, on a kvm-intel that was built with the edit in kernel/: VMX's
// MSR lists, and its mask and shadow.

import Measurement
import Registers
import TestSupport
import Testing

@Suite("kvm_intel that switches SPEC_CTRL by VMX's lists", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct HardwareListTests {
  let host = LabHost.intelList

  @Test func `every output names the mode, and autoload is the hardware's, shadow a model`() async throws {
    let probed = try await host.probe()
    #expect(probed.specCtrlMode == .known(.lists))
    #expect(probed.moduleParameters["spec_ctrl_mode"] == "1" && probed.moduleParameters["nested"] == "N")
    #expect(probed.policies?[.known(.autoload)]?.mechanism == .known(.hardware))
    #expect(probed.policies?[.known(.shadow)]?.mechanism == .known(.model))
    let text = try await host.result("autoload-text").output
    #expect(text.contains("autoload of IA32_SPEC_CTRL (0x48), by VMX itself"), "\(text)")
    #expect(text.contains("kvm_intel (SPEC_CTRL by VMX's MSR lists)"), "\(text)")
  }

  @Test func `autoload does nothing around KVM_RUN, and no write of the guest exits`() async throws {
    let report = try await host.run("autoload")
    #expect(report.mechanism == .known(.hardware) && report.policyTally.isEmpty)
    #expect(report.guest.expected.msrWrites == 2000 && report.exits.byReason == ["portOut": 1])
    // First touches of pages, the first write that is not 0, and a tick or two.
    #expect(try #require(report.kvm.exits) < 60, "\(report.kvm)")
    #expect(try await host.run("shadow").mechanism == .known(.model))
  }

  @Test func `the guest's last value is kept: its own, and KVM's`() async throws {
    #expect(try await host.run("autoload-kept").msr.end == 1, "written once, at the guest's start")
    #expect(try await host.run("autoload").msr.end == 0)
    // Across 100 exits to the VMM.
    #expect(try await host.result("keeps").output.hasPrefix("T"))
    #expect(try await host.run("probe-autoload").guest.probe == ProbeExpectation.steps)
  }

  @Test func `the host's value is back after each exit`() async throws {
    let exits = try #require(UInt64(try await host.result("exits").output.trimmed))
    let guests = try await host.run("autoload-exits").exits.total
    #expect(exits > guests && guests >= 1000)
    #expect(try await host.result("wrong").output.trimmed == "0", "of \(exits) exits")
  }
}

@Suite("kvm_intel that virtualises SPEC_CTRL by VMX's mask and shadow", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct HardwareShadowTests {
  let host = LabHost.intelShadow

  @Test func `every output names the mode and the mask, which is the host's own value`() async throws {
    let probed = try await host.probe()
    #expect(probed.specCtrlMode == .known(.maskAndShadow) && probed.moduleParameters["spec_ctrl_mask"] == "0x000401")
    let shadow = try #require(probed.policies?[.known(.shadow)])
    #expect(shadow.mechanism == .known(.hardware) && shadow.protects == .known(.always))
    #expect(shadow.seen.contains("kept on by VMX's mask, without an exit"), "\(shadow.seen)")
    #expect(probed.policies?[.known(.autoload)]?.mechanism == .known(.model))
  }

  @Test
  func
    `2000 writes make no exit, the guest reads its own value, and the host's bits are set in the register at the end`()
    async throws
  {
    let report = try await host.run("shadow")
    #expect(report.mechanism == .known(.hardware) && report.policyTally.isEmpty)
    #expect(report.guest.expected.msrWrites == 2000 && report.exits.byReason == ["portOut": 1])
    #expect(try #require(report.kvm.exits) < 60, "\(report.kvm)")
    #expect(report.msr.end == 0, "what the guest wrote last")
    #expect(try await host.result("left").output.trimmed == "0x0000000000000401", "IBRS and BHI_DIS_S in the register")
    #expect(try await host.run("shadow-set").msr.end == 1)
  }

  @Test func `whatever policy leaves the register to the guest is under the mask, and says so`() async throws {
    for policy in ["passthrough", "autoload"] {
      let report = try await host.run(policy)
      #expect(report.protection.level == .always, "\(policy)")
      #expect(report.exits.byMSR.isEmpty && report.msr.end == 0, "\(policy)")
    }
  }

  @Test
  func `bits beside the mask are the guest's: SSBD reaches the register, and the host's value is back after each exit`()
    async throws
  {
    #expect(try await host.result("left-by-ssbd").output.trimmed == "0x0000000000000405")
    #expect(try await host.result("wrong").output.trimmed == "0")
  }

  @Test func `adaptive opens the register under the mask, and no witness contradicts it`() async throws {
    let report = try await host.run("adaptive")
    #expect(report.protection.level == .always && report.policyTally["openAtEnd"] == 1, "\(report.policyTally)")
  }

  @Test func `C4, C5 and C8 compare the modes: KVM's own code by instructions, and no verdict on microcode`()
    async throws
  {
    let byHand = try await text("by-hand")
    #expect(byHand.contains("KVM was measured in one form only (by hand)"), "\(byHand)")
    let lists = try await text("lists")
    let words =
      "instructions per exit by hand than with the lists, in 4 pairs; the lists themselves are microcode, as are RDMSR and "
      + "WRMSR, which an instruction count does not include: cycles on bare metal decide"
    #expect(lists.contains("clock counts instructions; KVM's own code takes ") && lists.contains(words), "\(lists)")
    #expect(lists.contains("with VMX's lists, and "), "C5: \(lists)")
    let mask = try await text("mask")
    // The three results together: C4 by those of the other modes.
    #expect(mask.contains(words) && mask.contains("with VMX's mask and shadow, and "), "C4 and C5: \(mask)")
    #expect(
      mask.contains("judged by path lengths, it holds: the cost of shadow over that of the others is passthrough 1.00"))
    let modes = try #require(try await host.comparison().modes)
    #expect(modes.first == .known(.byHand) && modes.second == .known(.lists))
  }

  private func text(_ command: String) async throws -> String {
    let result = try await host.result(command)
    try #require(result.status == 0, "\(result.output)\(result.error)")
    // Lines are wrapped.
    return result.output.trimmed
  }

  @Test func `emulate still traps every write`() async throws {
    let report = try await host.run("emulate")
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 400)])
    #expect(try await host.result("left-by-emulate").output.trimmed == "0x0000000000000401")
  }
}

extension String {
  fileprivate var trimmed: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
