// The emulator of the lab is the one with the lab's edits; without it, Debian's own serves, and says what it cannot do.

import Measurement
import TestSupport
import Testing

@Suite("The lab's emulator", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct EmulatorTests {
  private func lab(_ arguments: String...) async throws -> Command {
    try await Command.run("scripts/lab", ["--binary", "/bin/true"] + arguments, timeLimit: .seconds(300))
  }

  @Test func `has the lab's edits: what a processor does not offer in SPEC_CTRL faults, what it offers is taken`()
    async throws
  {
    // Without the edits Bochs takes 0x5ff on every model. They are made together or not at all.
    #expect(try await LabHost.intel.result("writes-ssbd").output.hasPrefix("T"))
    #expect(try await LabHost.intel.result("writes-bhi").output.hasPrefix("F"))
    #expect(try await LabHost.intelSPR.result("writes-bhi").output.hasPrefix("T"))
    #expect(try await LabHost.intelSPR.result("writes-ddpd").output.hasPrefix("F"))
  }

  @Test func `has the edit of the shadow: a guest's write under VMX's mask is what it reads then`() async throws {
    // Without it RDMSR returns what the shadow was before.
    #expect(try await LabHost.intelShadow.run("probe-shadow").guest.probe == ProbeExpectation.steps)
    #expect(try await LabHost.intelShadow.result("keeps").output.hasPrefix("T"))
  }

  @Test func `is Debian's 2.7 where that is asked for, which boots the hosts that it knows`() async throws {
    let result = try await lab("intel", "--emulator", "debian", "--", "cat", "/sys/module/kvm_intel/parameters/ept")
    #expect(result.status == 0 && result.output == "Y\n", "\(result.error)")
  }

  @Test(arguments: ["intel-spr", "intel-shadow", "amd-ibrs"])
  func `that is Debian's refuses the hosts of today in a sentence`(host: String) async throws {
    let result = try await lab(host, "--emulator", "debian", "--", "true")
    #expect(result.status == 69 && result.error.contains("the host \(host) needs Bochs 3"), "\(result.error)")
  }
}
