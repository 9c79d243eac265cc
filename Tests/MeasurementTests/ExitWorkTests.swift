import Testing

@testable import Measurement

/// What a kernel's words about vulnerabilities say of its exits.
struct ExitWorkTests {
  private func done(_ vulnerabilities: [String: String]) -> [String] {
    var host = MadeUp.host()
    host.vulnerabilities = vulnerabilities
    return host.exitWork.filter { $0.isDone == true }.map { "\($0.moment.rawValue): \($0.name)" }
  }

  @Test("A Skylake with today's kernel: the stack buffer, VERW, the cache, and an IBPB before user space")
  func skylake() {
    let words = [
      "spectre_v2": "Mitigation: IBRS; IBPB: conditional; STIBP: conditional; RSB filling; PBRSB-eIBRS: Not affected; "
        + "BHI: Not affected",
      "retbleed": "Mitigation: IBRS", "mds": "Mitigation: Clear CPU buffers; SMT vulnerable",
      "l1tf": "Mitigation: PTE Inversion; VMX: conditional cache flushes, SMT vulnerable",
      "vmscape": "Mitigation: IBPB before exit to userspace", "spec_rstack_overflow": "Not affected",
    ]
    #expect(
      done(words) == [
        "each exit: the return stack buffer is filled", "each exit to user space: an IBPB is written",
        "each entry: VERW clears the processor's buffers", "each entry: the L1 data cache is flushed",
        "a switch between vCPUs: an IBPB is written",
      ])
  }

  @Test("A Zen 3, and one whose kernel writes an IBPB at each exit")
  func zen() {
    let words = [
      "spectre_v2": "Mitigation: Retpolines; IBPB: disabled; STIBP: disabled; RSB filling; BHI: Not affected",
      "retbleed": "Not affected", "spec_rstack_overflow": "Mitigation: Safe RET",
      "vmscape": "Mitigation: IBPB before exit to userspace",
      "tsa": "Mitigation: Clear CPU buffers: user/kernel boundary",
    ]
    #expect(
      done(words) == [
        "each exit: the return stack buffer is filled", "each exit: returns are untrained",
        "each exit to user space: an IBPB is written",
      ])
    #expect(done(["spec_rstack_overflow": "Mitigation: IBPB on VMEXIT only"]) == ["each exit: an IBPB is written"])
    #expect(done(["vmscape": "Mitigation: IBPB on VMEXIT"]) == ["each exit: an IBPB is written"])
  }

  @Test("A Sapphire Rapids clears the branch history by its register, an Ice Lake by a loop")
  func branchHistory() {
    let ending = "; IBPB: disabled; RSB filling; PBRSB-eIBRS: SW sequence; BHI: "
    #expect(
      done(["spectre_v2": "Mitigation: Enhanced / Automatic IBRS\(ending)SW loop, KVM: SW loop"]) == [
        "each exit: the return stack buffer is filled", "each exit: the branch history is cleared by a loop",
      ])
    #expect(
      done(["spectre_v2": "Mitigation: Enhanced / Automatic IBRS\(ending)BHI_DIS_S"]) == [
        "each exit: the return stack buffer is filled"
      ])
  }

  @Test("What the kernel says nothing of is not known, and the source stands with what it says")
  func unknown() throws {
    var host = MadeUp.host()
    host.vulnerabilities = ["vmscape": "Vulnerable"]
    #expect(
      host.exitWork.filter { $0.isDone == false }.map(\.source) == ["vmscape: Vulnerable", "vmscape: Vulnerable"])
    #expect(host.hasBarrierBeforeUserSpace == false)
    host.vulnerabilities = [:]
    #expect(host.exitWork.allSatisfy { $0.isDone == nil && $0.source == nil && !$0.switchedBy.isEmpty })
  }
}
