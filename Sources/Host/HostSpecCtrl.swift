// What the host's kernel keeps set in IA32_SPEC_CTRL for itself. The register says so where it can be read; else the
// kernel does, for two of the bits, where it says what it does about Spectre v2.
//
// Facts: Linux arch/x86/kernel/cpu/bugs.c (x86_spec_ctrl_base; spectre_v2_show_state and spectre_bhi_state, which write
// /sys/devices/system/cpu/vulnerabilities/spectre_v2; spec_ctrl_disable_kernel_rrsba); msr(4).

public import Registers

/// The bits of IA32_SPEC_CTRL that restrict the host's kernel.
public struct HostSpecCtrl: Hashable, Sendable {
  /// Who says so.
  public enum Source: String, Hashable, Sendable, CaseIterable {
    /// The register itself, through the msr driver.
    case register
    /// The kernel's account of its mitigations, which names IBRS and BHI_DIS_S alone.
    case kernel
  }

  /// The bits that are set.
  public let bits: SpecCtrl
  public let source: Source

  /// The bits as given.
  public init(bits: SpecCtrl, source: Source) {
    self.bits = bits
    self.source = source
  }

  /// Reads the register of the first processor, or what the kernel says; nil where neither tells of a bit.
  ///
  /// Of the register's bits those count which Linux sets for its kernel at boot and leaves alone: STIBP and SSBD may be
  /// a single thread's.
  public init?(files: HostFiles = HostFiles()) {
    if let value = HostMSR.read(.specCtrl, files: files) {
      bits = SpecCtrl(rawValue: value).intersection([.ibrs, .ipredDisS, .rrsbaDisS, .bhiDisS])
      source = .register
    } else {
      let account = HostKernel(files: files)[vulnerability: "spectre_v2"] ?? ""
      var told: SpecCtrl = []
      // On an AMD processor "Automatic IBRS" is in IA32_EFER.
      let isAMD = files.value("proc/cpuinfo")?.contains("AuthenticAMD") ?? false
      if account.hasPrefix("Mitigation: IBRS") || account.contains("Enhanced") && account.contains("IBRS") && !isAMD {
        told.insert(.ibrs)
      }
      if account.contains("BHI_DIS_S") { told.insert(.bhiDisS) }
      bits = told
      source = .kernel
    }
    if bits.isEmpty { return nil }
  }
}
