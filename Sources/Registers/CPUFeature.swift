// The CPUID bits that this project uses, by name.
//
// Facts: Intel SDM vol. 2 (CPUID); AMD APM vol. 3, appendix E; Linux arch/x86/include/asm/cpufeatures.h and
// arch/x86/kvm/reverse_cpuid.h. AMD's spellings of Intel's features carry AMD_, as they do in Linux.

/// One bit of CPUID that stands for a feature.
public struct CPUFeature: Hashable, Sendable {
  /// The register of a CPUID result.
  public enum Register: String, Hashable, Sendable, CaseIterable {
    case eax, ebx, ecx, edx
  }

  /// The name in Linux: `SPEC_CTRL`.
  public let name: String
  /// The CPUID leaf (input EAX).
  public let leaf: UInt32
  /// The CPUID subleaf (input ECX); 0 if the leaf has none.
  public let subleaf: UInt32
  public let register: Register
  /// The bit's position, 0 to 31.
  public let bit: Int

  /// A feature at this place.
  public init(_ name: String, leaf: UInt32, subleaf: UInt32 = 0, _ register: Register, bit: Int) {
    precondition((0..<32).contains(bit), "a CPUID register has 32 bits")
    self.name = name
    self.leaf = leaf
    self.subleaf = subleaf
    self.register = register
    self.bit = bit
  }

  /// The register's value with only this bit set.
  public var mask: UInt32 { 1 << UInt32(bit) }
}

extension CPUFeature: CustomStringConvertible {
  /// The name and the place, in the manual's notation: `SPEC_CTRL (CPUID.07H.0:EDX[26])`.
  public var description: String {
    "\(name) (CPUID.\(leaf.hexDigits(2).uppercased())H.\(subleaf):\(register.rawValue.uppercased())[\(bit)])"
  }
}

extension CPUFeature {
  // Speculation control as Intel enumerates it (SDM vol. 2, CPUID leaf 07H).
  /// MD_CLEAR: VERW clears buffers.
  public static let mdClear = CPUFeature("MD_CLEAR", leaf: 7, .edx, bit: 10)
  /// SPEC_CTRL: IBRS and IBPB: IA32_SPEC_CTRL and IA32_PRED_CMD exist.
  public static let specCtrl = CPUFeature("SPEC_CTRL", leaf: 7, .edx, bit: 26)
  /// STIBP: IA32_SPEC_CTRL has STIBP.
  public static let stibp = CPUFeature("STIBP", leaf: 7, .edx, bit: 27)
  /// L1D_FLUSH: IA32_FLUSH_CMD exists.
  public static let l1dFlush = CPUFeature("L1D_FLUSH", leaf: 7, .edx, bit: 28)
  /// ARCH_CAPABILITIES: IA32_ARCH_CAPABILITIES exists.
  public static let archCapabilities = CPUFeature("ARCH_CAPABILITIES", leaf: 7, .edx, bit: 29)
  /// SSBD: IA32_SPEC_CTRL has SSBD.
  public static let ssbd = CPUFeature("SSBD", leaf: 7, .edx, bit: 31)
  /// PSFD: IA32_SPEC_CTRL has PSFD.
  public static let psfd = CPUFeature("PSFD", leaf: 7, subleaf: 2, .edx, bit: 0)
  /// IPRED_CTRL: IA32_SPEC_CTRL has IPRED_DIS_U and IPRED_DIS_S.
  public static let ipredCtrl = CPUFeature("IPRED_CTRL", leaf: 7, subleaf: 2, .edx, bit: 1)
  /// RRSBA_CTRL: IA32_SPEC_CTRL has RRSBA_DIS_U and RRSBA_DIS_S.
  public static let rrsbaCtrl = CPUFeature("RRSBA_CTRL", leaf: 7, subleaf: 2, .edx, bit: 2)
  /// DDPD_U: IA32_SPEC_CTRL has DDPD_U.
  public static let ddpdU = CPUFeature("DDPD_U", leaf: 7, subleaf: 2, .edx, bit: 3)
  /// BHI_CTRL: IA32_SPEC_CTRL has BHI_DIS_S.
  public static let bhiCtrl = CPUFeature("BHI_CTRL", leaf: 7, subleaf: 2, .edx, bit: 4)
  /// MCDT_NO: no MXCSR configuration dependent timing.
  public static let mcdtNo = CPUFeature("MCDT_NO", leaf: 7, subleaf: 2, .edx, bit: 5)

  // Speculation control as AMD enumerates it (APM vol. 3, appendix E.4).
  /// AMD_IBPB: PRED_CMD has IBPB.
  public static let amdIBPB = CPUFeature("AMD_IBPB", leaf: 0x8000_0008, .ebx, bit: 12)
  /// AMD_IBRS: SPEC_CTRL has IBRS.
  public static let amdIBRS = CPUFeature("AMD_IBRS", leaf: 0x8000_0008, .ebx, bit: 14)
  /// AMD_STIBP: SPEC_CTRL has STIBP.
  public static let amdSTIBP = CPUFeature("AMD_STIBP", leaf: 0x8000_0008, .ebx, bit: 15)
  /// AMD_IBRS_ALWAYS_ON: setting IBRS once and leaving it on is preferred.
  public static let amdIBRSAlwaysOn = CPUFeature("AMD_IBRS_ALWAYS_ON", leaf: 0x8000_0008, .ebx, bit: 16)
  /// AMD_STIBP_ALWAYS_ON: setting STIBP once and leaving it on is preferred.
  public static let amdSTIBPAlwaysOn = CPUFeature("AMD_STIBP_ALWAYS_ON", leaf: 0x8000_0008, .ebx, bit: 17)
  /// AMD_IBRS_PREFERRED: IBRS is preferred to software mitigation.
  public static let amdIBRSPreferred = CPUFeature("AMD_IBRS_PREFERRED", leaf: 0x8000_0008, .ebx, bit: 18)
  /// AMD_IBRS_SAME_MODE: IBRS protects within one mode too.
  public static let amdIBRSSameMode = CPUFeature("AMD_IBRS_SAME_MODE", leaf: 0x8000_0008, .ebx, bit: 19)
  /// AMD_SSBD: SPEC_CTRL has SSBD.
  public static let amdSSBD = CPUFeature("AMD_SSBD", leaf: 0x8000_0008, .ebx, bit: 24)
  /// VIRT_SSBD: VIRT_SPEC_CTRL exists; hypervisors set it.
  public static let virtSSBD = CPUFeature("VIRT_SSBD", leaf: 0x8000_0008, .ebx, bit: 25)
  /// AMD_SSB_NO: not susceptible to speculative store bypass.
  public static let amdSSBNo = CPUFeature("AMD_SSB_NO", leaf: 0x8000_0008, .ebx, bit: 26)
  /// AMD_PSFD: SPEC_CTRL has PSFD.
  public static let amdPSFD = CPUFeature("AMD_PSFD", leaf: 0x8000_0008, .ebx, bit: 28)
  /// V_SPEC_CTRL: SVM virtualises SPEC_CTRL.
  public static let vSpecCtrl = CPUFeature("V_SPEC_CTRL", leaf: 0x8000_000a, .edx, bit: 20)
  /// LFENCE_RDTSC: LFENCE is always dispatch serialising.
  public static let lfenceSerialising = CPUFeature("LFENCE_RDTSC", leaf: 0x8000_0021, .eax, bit: 2)
  /// AUTO_IBRS: EFER can hold IBRS on at CPL 0.
  public static let automaticIBRS = CPUFeature("AUTO_IBRS", leaf: 0x8000_0021, .eax, bit: 8)
  /// SBPB: PRED_CMD has SBPB.
  public static let sbpb = CPUFeature("SBPB", leaf: 0x8000_0021, .eax, bit: 27)

  // Other features that a guest, a VMM or a clock needs.
  /// TSC: RDTSC.
  public static let tsc = CPUFeature("TSC", leaf: 1, .edx, bit: 4)
  /// MSR: RDMSR and WRMSR.
  public static let msr = CPUFeature("MSR", leaf: 1, .edx, bit: 5)
  /// SEP: SYSENTER and SYSEXIT.
  public static let sysenter = CPUFeature("SEP", leaf: 1, .edx, bit: 11)
  /// VMX: Intel's virtualisation.
  public static let vmx = CPUFeature("VMX", leaf: 1, .ecx, bit: 5)
  /// PCID: process-context identifiers in CR3.
  public static let pcid = CPUFeature("PCID", leaf: 1, .ecx, bit: 17)
  /// X2APIC: the local APIC through MSRs.
  public static let x2APIC = CPUFeature("X2APIC", leaf: 1, .ecx, bit: 21)
  /// TSC_DEADLINE: IA32_TSC_DEADLINE exists.
  public static let tscDeadlineTimer = CPUFeature("TSC_DEADLINE", leaf: 1, .ecx, bit: 24)
  /// HYPERVISOR: software runs under a hypervisor; the CPU itself never sets it.
  public static let hypervisor = CPUFeature("HYPERVISOR", leaf: 1, .ecx, bit: 31)
  /// TSC_ADJUST: IA32_TSC_ADJUST exists.
  public static let tscAdjust = CPUFeature("TSC_ADJUST", leaf: 7, .ebx, bit: 1)
  /// SVM: AMD's virtualisation.
  public static let svm = CPUFeature("SVM", leaf: 0x8000_0001, .ecx, bit: 2)
  /// SYSCALL: SYSCALL and SYSRET (on Intel, in 64-bit mode alone).
  public static let syscall = CPUFeature("SYSCALL", leaf: 0x8000_0001, .edx, bit: 11)
  /// RDTSCP: RDTSCP.
  public static let rdtscp = CPUFeature("RDTSCP", leaf: 0x8000_0001, .edx, bit: 27)
  /// LM: 64-bit mode.
  public static let longMode = CPUFeature("LM", leaf: 0x8000_0001, .edx, bit: 29)
  /// INVARIANT_TSC: the time-stamp counter runs at one rate in every power state.
  public static let invariantTSC = CPUFeature("INVARIANT_TSC", leaf: 0x8000_0007, .edx, bit: 8)

  /// Every feature that has a name here.
  public static let all: [CPUFeature] = [
    .mdClear, .specCtrl, .stibp, .l1dFlush, .archCapabilities, .ssbd, .psfd, .ipredCtrl, .rrsbaCtrl, .ddpdU, .bhiCtrl,
    .mcdtNo, .amdIBPB, .amdIBRS, .amdSTIBP, .amdIBRSAlwaysOn, .amdSTIBPAlwaysOn, .amdIBRSPreferred, .amdIBRSSameMode,
    .amdSSBD, .virtSSBD, .amdSSBNo, .amdPSFD, .vSpecCtrl, .lfenceSerialising, .automaticIBRS, .sbpb, .tsc, .msr,
    .sysenter, .vmx, .pcid, .x2APIC, .tscDeadlineTimer, .hypervisor, .tscAdjust, .svm, .syscall, .rdtscp, .longMode,
    .invariantTSC,
  ]
}
