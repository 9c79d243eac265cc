// The host's own registers and this thread's own mitigations.

import Foundation
import Host
import Registers
import TestSupport
import Testing

@Suite("Host MSRs")
struct HostMSRTests {
  @Test("are read at the register's number, least significant byte first")
  func reads() throws {
    let tree = try FixtureTree()
    var bytes = Data(repeating: 0xee, count: 0x48)
    bytes.append(contentsOf: [1, 2, 3, 4, 5, 6, 7, 8])
    try tree.write(bytes, to: "dev/cpu/3/msr")
    #expect(HostMSR.read(.specCtrl, onCPU: 3, files: tree.files) == 0x0807_0605_0403_0201)
  }

  @Test("are nil where the device, the CPU or the register is missing")
  func absent() throws {
    let tree = try FixtureTree(["dev/cpu/0/msr": "short"])
    #expect(HostMSR.read(.specCtrl, files: tree.files) == nil)
    #expect(HostMSR.read(MSR(1), files: tree.files) == nil)
    #expect(HostMSR.read(.specCtrl, onCPU: 1, files: tree.files) == nil)
  }
}

@Suite("What the host's kernel keeps in SPEC_CTRL")
struct HostSpecCtrlTests {
  private static let spectre = "sys/devices/system/cpu/vulnerabilities/spectre_v2"

  @Test(
    "is told by its account of Spectre v2 where the register cannot be read",
    arguments: [
      (
        "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; BHI: BHI_DIS_S", "GenuineIntel",
        SpecCtrl(rawValue: 0x401)
      ),
      ("Mitigation: Enhanced IBRS + Retpolines; BHI: SW loop", "GenuineIntel", .ibrs),
      ("Mitigation: Enhanced / Automatic IBRS; IBPB: conditional", "AuthenticAMD", nil),
      ("Mitigation: IBRS; IBPB: conditional; RSB filling", "GenuineIntel", .ibrs),
      ("Mitigation: Retpolines; IBPB: conditional", "GenuineIntel", nil),
    ])
  func account(text: String, vendor: String, expected: SpecCtrl?) throws {
    let tree = try FixtureTree([Self.spectre: text + "\n", "proc/cpuinfo": "vendor_id : \(vendor)\n"])
    let told = HostSpecCtrl(files: tree.files)
    #expect(told == expected.map { HostSpecCtrl(bits: $0, source: .kernel) })
  }

  @Test("is automatic IBRS, in IA32_EFER, where AMD's kernel says so, and on no processor of Intel's")
  func automaticIBRS() throws {
    for (text, vendor, uses) in [
      ("Mitigation: Enhanced / Automatic IBRS; IBPB: conditional", "AuthenticAMD", true),
      ("Mitigation: Enhanced / Automatic IBRS; IBPB: conditional", "GenuineIntel", false),
      ("Mitigation: Retpolines; IBPB: conditional", "AuthenticAMD", false),
    ] {
      let tree = try FixtureTree([Self.spectre: text + "\n", "proc/cpuinfo": "vendor_id : \(vendor)\n"])
      #expect(HostKernel.usesAutomaticIBRS(files: tree.files) == uses, "\(text), \(vendor)")
    }
  }

  @Test("is the register's own value where that can be read, without what is a single thread's")
  func register() throws {
    let tree = try FixtureTree([Self.spectre: "Mitigation: Enhanced IBRS\n"])
    var bytes = Data(repeating: 0, count: 0x48)
    bytes.append(contentsOf: [0x47, 4, 0, 0, 0, 0, 0, 0])
    try tree.write(bytes, to: "dev/cpu/0/msr")
    #expect(
      HostSpecCtrl(files: tree.files) == HostSpecCtrl(bits: [.ibrs, .rrsbaDisS, .bhiDisS], source: .register))
  }
}

@Suite("Process mitigations")
struct ProcessMitigationsTests {
  @Test(
    "are decoded as prctl(2) gives them",
    arguments: [
      (0, "not affected"), (2, "enabled"), (3, "enabled (controlled by prctl)"), (4, "disabled"),
      (5, "disabled (controlled by prctl)"), (8, "force disabled"), (9, "force disabled (controlled by prctl)"),
      (17, "disabled until exec (controlled by prctl)"), (-22, "unknown"), (-19, "unknown"), (6, "unknown"),
      (0x40, "unknown"),
    ])
  func decodes(result: Int, words: String) {
    #expect(SpeculationState(prctlResult: result).description == words)
  }

  @Test("of this thread agree with /proc/thread-self/status")
  func thisThread() throws {
    let mitigations = ProcessMitigations.ofThisThread()
    let status = HostFiles().text("proc/thread-self/status") ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Speculation_Store_Bypass:") }
    guard let word = line?.split(separator: "\t").last else { return }
    // Linux fs/proc/array.c, task_seccomp: the words for each prctl state.
    let expected: [Substring: SpeculationState.Setting] = [
      "unknown": .unknown, "not vulnerable": .notAffected, "thread force mitigated": .forceDisabled,
      "thread mitigated": .disabled, "thread vulnerable": .enabled, "globally mitigated": .disabled,
      "vulnerable": .enabled,
    ]
    #expect(mitigations.storeBypass.setting == expected[word])
  }
}
