import Registers
import Testing

@Suite("What a kernel does against Spectre v2")
struct KernelMitigationTests {
  @Test(
    "is read from what it says of itself",
    arguments: [
      ("Mitigation: IBRS; IBPB: conditional; STIBP: disabled; RSB filling", .ibrs),
      ("Mitigation: Retpolines; IBPB: conditional; RSB filling; BHI: Retpoline", .retpoline),
      ("Mitigation: Retpolines, IBPB: conditional", .retpoline),
      ("Mitigation: Full generic retpoline, IBPB", .retpoline),
      ("Mitigation: Enhanced IBRS; IBPB: conditional; BHI: SW loop, KVM: SW loop", .eibrs),
      ("Mitigation: Enhanced / Automatic IBRS; IBPB: conditional", .eibrs),
      ("Mitigation: Enhanced IBRS + Retpolines", .eibrs),
      ("Vulnerable; IBPB: disabled; STIBP: disabled", .off), ("Vulnerable", .off),
      ("Vulnerable: eIBRS with unprivileged eBPF", .eibrs),
    ] as [(String, KernelMitigation)])
  func reported(text: String, mitigation: KernelMitigation) {
    #expect(KernelMitigation(reported: text) == mitigation)
  }

  @Test(
    "is not known from other words", arguments: ["", "Not affected", "Mitigation: LFENCE", "Mitigation:", "IBRS", ";"])
  func unknown(text: String) { #expect(KernelMitigation(reported: text) == nil) }

  @Test("decides how often its works write the register")
  func writes() {
    #expect(KernelWork.allCases.map { $0.writes(under: .ibrs) } == [2, 0, 2, 8])
    for mitigation in KernelMitigation.allCases where mitigation != .ibrs {
      #expect(KernelWork.allCases.allSatisfy { $0.writes(under: mitigation) == 0 })
    }
    #expect(KernelWork.getppid.writes(under: nil) == nil)
    #expect(KernelWork.kernelEntries == [.getppid, .pageFault, .pipe])
  }
}
