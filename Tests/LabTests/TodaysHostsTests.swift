// Hosts of today: a kernel that keeps more than IBRS in SPEC_CTRL for itself (Sapphire Rapids), and kvm_amd with the
// register.

import Measurement
import Registers
import TestSupport
import Testing

@Suite("kvm_intel whose kernel keeps BHI_DIS_S", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct SapphireRapidsTests {
  let host = LabHost.intelSPR

  @Test func `the kernel has IBRS and BHI_DIS_S by its own account, and guests keep both, proved by reading them back`()
    async throws
  {
    let probed = try await host.probe()
    #expect(probed.hostSpecCtrl == HostReport.HostBits(value: 0x401, source: "kernel", kept: 0x401))
    let text = try await host.result("probe-text").output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(text.contains("emulate and shadow keep IBRS|BHI_DIS_S (0x401) on for guests, read back"), "\(text)")
  }

  @Test func `the processor has each of the newer controls, and the guest sees what KVM offers`() async throws {
    let seen = try await host.probe().speculation
    #expect([seen.cpu.bhiCtrl, seen.cpu.rrsbaCtrl, seen.cpu.ipredCtrl, seen.cpu.psfd] == [true, true, true, true])
    let (kvm, guest) = (try #require(seen.kvm), try #require(seen.guest))
    #expect(
      [guest.bhiCtrl, guest.rrsbaCtrl, guest.ipredCtrl, guest.psfd]
        == [kvm.bhiCtrl, kvm.rrsbaCtrl, kvm.ipredCtrl, kvm.psfd])
  }

  @Test(arguments: ["emulate", "shadow"])
  func `a trapped guest runs with the host's value whatever it writes, and the output says with which`(policy: String)
    async throws
  {
    let report = try await host.run(policy)
    #expect(report.msr.registerStart == 0x401 && report.msr.registerEnd == 0x401)
    #expect(report.msr.end == 0, "what the guest wrote last")
    #expect(report.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * report.iterations)])
    #expect(report.protection.level == .always)
    #expect(report.protection.reason.hasPrefix("IBRS, BHI_DIS_S (0x401, as the host's kernel has it) are kept on"))
  }

  @Test func `KVM has nothing to switch at an exit of a guest that has the host's value`() async throws {
    let kept = try #require(try await host.run("emulate-exits").guest.cyclesPerIteration)
    let open = try #require(try await host.run("passthrough-exits").guest.cyclesPerIteration)
    // A guest under passthrough has 0 in the register: KVM writes it at each entry and the host's at each exit.
    #expect(kept < open, "\(kept) instructions, and \(open) with another value than the host's")
  }

  @Test func `accepted, adaptive opens the register, and closes it to the host's value`() async throws {
    let report = try await host.run("adaptive-accepted")
    #expect(report.policyTally["opens"] == 1 && report.msr.registerStart == 0x401)
  }
}

@Suite("kvm_amd with SPEC_CTRL", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct AMDWithSpecCtrlTests {
  let host = LabHost.amdIBRS

  @Test func `SPEC_CTRL is proved by a guest's write that reads back, and there is no IBRS_ALL`() async throws {
    let probed = try await host.probe()
    #expect(probed.module == "kvm_amd" && probed.specCtrlProof?.works == true)
    #expect(probed.speculation.kvm?.ibrsAll == false)
    #expect(probed.speculation.guest?.ibrs == true && probed.speculation.guest?.ssbd == true)
  }

  @Test(arguments: ["passthrough", "autoload"])
  func `a reserved bit faults in the guest and changes nothing`(policy: String) async throws {
    #expect(try await host.run("probe-\(policy)").guest.probe == ProbeExpectation.steps)
  }

  @Test func `passthrough makes no exit for the register, emulate two for each iteration`() async throws {
    #expect(try await host.run("passthrough").exits.byMSR.isEmpty)
    let emulated = try await host.run("emulate")
    #expect(emulated.exits.byMSR == [.known(.specCtrl): .init(reads: 0, writes: 2 * emulated.iterations)])
    #expect(emulated.protection.level == ProtectionLevel.none)
  }
}
