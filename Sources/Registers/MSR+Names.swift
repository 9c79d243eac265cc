// The model-specific registers: one table of all names, and a constant for each that code uses.
//
// Facts: Intel SDM vol. 4, table 2-2 (architectural MSRs); AMD APM vol. 2, appendix A; Linux
// arch/x86/include/asm/msr-index.h.

extension MSR {
  // Time, the local APIC, and registers that the firmware locks.
  /// IA32_TIME_STAMP_COUNTER: the time-stamp counter.
  @inlinable public static var timeStampCounter: MSR { MSR(rawValue: 0x10) }
  /// IA32_APIC_BASE: where the local APIC is, and whether it is on.
  @inlinable public static var apicBase: MSR { MSR(rawValue: 0x1b) }
  /// IA32_TSC_ADJUST: what is added to the time-stamp counter of this logical processor.
  @inlinable public static var tscAdjust: MSR { MSR(rawValue: 0x3b) }
  /// IA32_BIOS_SIGN_ID: the microcode revision.
  @inlinable public static var biosUpdateSignature: MSR { MSR(rawValue: 0x8b) }
  /// IA32_BIOS_UPDT_TRIG: a write loads microcode; never in a VMX area.
  @inlinable public static var biosUpdateTrigger: MSR { MSR(rawValue: 0x79) }
  /// IA32_SMM_MONITOR_CTL: the SMM-transfer monitor; never in a VMX load list outside SMM.
  @inlinable public static var smmMonitorControl: MSR { MSR(rawValue: 0x9b) }
  /// IA32_SMBASE: the base of SMRAM; readable in SMM alone, and never in a VMX area.
  @inlinable public static var smBase: MSR { MSR(rawValue: 0x9e) }
  /// PLATFORM_INFO: ratios of the processor's clocks, and whether CPUID can be made to fault.
  @inlinable public static var platformInfo: MSR { MSR(rawValue: 0xce) }
  /// PERF_CAPABILITIES: performance monitoring features that CPUID does not report, such as the branch record format.
  @inlinable public static var perfCapabilities: MSR { MSR(rawValue: 0x345) }

  // Speculation control and its relatives.
  /// IA32_SPEC_CTRL: speculation control: IBRS, STIBP, SSBD and their successors.
  @inlinable public static var specCtrl: MSR { MSR(rawValue: 0x48) }
  /// IA32_PRED_CMD: write-only prediction commands: IBPB.
  @inlinable public static var predCmd: MSR { MSR(rawValue: 0x49) }
  /// IA32_ARCH_CAPABILITIES: read-only: which attacks the CPU resists, IBRS_ALL among them.
  @inlinable public static var archCapabilities: MSR { MSR(rawValue: 0x10a) }
  /// IA32_FLUSH_CMD: write-only flush commands: L1D_FLUSH.
  @inlinable public static var flushCmd: MSR { MSR(rawValue: 0x10b) }

  // System calls, segments and paging.
  /// IA32_SYSENTER_CS: the kernel code selector that SYSENTER loads.
  @inlinable public static var sysenterCS: MSR { MSR(rawValue: 0x174) }
  /// IA32_SYSENTER_ESP: the stack pointer that SYSENTER loads.
  @inlinable public static var sysenterESP: MSR { MSR(rawValue: 0x175) }
  /// IA32_SYSENTER_EIP: the instruction pointer that SYSENTER loads.
  @inlinable public static var sysenterEIP: MSR { MSR(rawValue: 0x176) }
  /// IA32_EFER: the extended feature enables: SCE, LME, LMA, NXE.
  @inlinable public static var efer: MSR { MSR(rawValue: 0xc000_0080) }
  /// IA32_STAR: the selectors of SYSCALL and SYSRET.
  @inlinable public static var star: MSR { MSR(rawValue: 0xc000_0081) }
  /// IA32_LSTAR: the instruction pointer that a 64-bit SYSCALL loads.
  @inlinable public static var lstar: MSR { MSR(rawValue: 0xc000_0082) }
  /// IA32_FMASK: the RFLAGS bits that SYSCALL clears.
  @inlinable public static var fmask: MSR { MSR(rawValue: 0xc000_0084) }
  /// IA32_FS_BASE: the base of FS.
  @inlinable public static var fsBase: MSR { MSR(rawValue: 0xc000_0100) }
  /// IA32_GS_BASE: the base of GS.
  @inlinable public static var gsBase: MSR { MSR(rawValue: 0xc000_0101) }
  /// IA32_KERNEL_GS_BASE: what SWAPGS exchanges with the base of GS.
  @inlinable public static var kernelGSBase: MSR { MSR(rawValue: 0xc000_0102) }

  // AMD's own (APM vol. 2, appendix A).
  /// DE_CFG: decode configuration: whether LFENCE serialises.
  @inlinable public static var deCfg: MSR { MSR(rawValue: 0xc001_1029) }

  /// VMX's capabilities, 0x480 to 0x493.
  @inlinable public static var vmxCapabilities: ClosedRange<MSR> { MSR(rawValue: 0x480)...MSR(rawValue: 0x493) }

  /// The registers of the local APIC in x2APIC mode, 0x800 to 0x8ff.
  @inlinable public static var x2APIC: ClosedRange<MSR> { MSR(rawValue: 0x800)...MSR(rawValue: 0x8ff) }
}

extension MSR {
  /// Every register that has a name here, with its name in the manual.
  public static let names: [(msr: MSR, name: String)] = architecturalNames + vmxNames + x2APICNames

  private static let architecturalNames: [(msr: MSR, name: String)] = [
    // Time, the local APIC, and registers that the firmware locks.
    (.timeStampCounter, "IA32_TIME_STAMP_COUNTER"), (.apicBase, "IA32_APIC_BASE"), (MSR(0x3a), "IA32_FEATURE_CONTROL"),
    (.tscAdjust, "IA32_TSC_ADJUST"), (.biosUpdateTrigger, "IA32_BIOS_UPDT_TRIG"),
    (.biosUpdateSignature, "IA32_BIOS_SIGN_ID"), (.smmMonitorControl, "IA32_SMM_MONITOR_CTL"), (.smBase, "IA32_SMBASE"),
    (MSR(0xe7), "IA32_MPERF"), (MSR(0xe8), "IA32_APERF"), (MSR(0x6e0), "IA32_TSC_DEADLINE"),
    (.platformInfo, "MSR_PLATFORM_INFO"), (.perfCapabilities, "IA32_PERF_CAPABILITIES"),
    // Speculation control and its relatives.
    (.specCtrl, "IA32_SPEC_CTRL"), (.predCmd, "IA32_PRED_CMD"), (.archCapabilities, "IA32_ARCH_CAPABILITIES"),
    (.flushCmd, "IA32_FLUSH_CMD"), (MSR(0x122), "IA32_TSX_CTRL"), (MSR(0x123), "IA32_MCU_OPT_CTRL"),
    (MSR(0x5000_0000), "IA32_VIRTUAL_ENUMERATION"), (MSR(0x5000_0001), "IA32_VIRTUAL_MITIGATION_ENUM"),
    (MSR(0x5000_0002), "IA32_VIRTUAL_MITIGATION_CTRL"),
    // System calls, segments and paging.
    (.sysenterCS, "IA32_SYSENTER_CS"), (.sysenterESP, "IA32_SYSENTER_ESP"), (.sysenterEIP, "IA32_SYSENTER_EIP"),
    (MSR(0x1a0), "IA32_MISC_ENABLE"), (MSR(0x1d9), "IA32_DEBUGCTL"), (MSR(0x277), "IA32_PAT"),
    (MSR(0x2ff), "IA32_MTRR_DEF_TYPE"), (MSR(0x38f), "IA32_PERF_GLOBAL_CTRL"), (MSR(0xda0), "IA32_XSS"),
    (.efer, "IA32_EFER"), (.star, "IA32_STAR"), (.lstar, "IA32_LSTAR"), (MSR(0xc000_0083), "IA32_CSTAR"),
    (.fmask, "IA32_FMASK"), (.fsBase, "IA32_FS_BASE"), (.gsBase, "IA32_GS_BASE"),
    (.kernelGSBase, "IA32_KERNEL_GS_BASE"), (MSR(0xc000_0103), "IA32_TSC_AUX"),
    // AMD's own (APM vol. 2, appendix A).
    (MSR(0xc000_0104), "TSC_RATIO"), (MSR(0xc001_0015), "HWCR"), (MSR(0xc001_0114), "VM_CR"),
    (MSR(0xc001_011f), "VIRT_SPEC_CTRL"), (MSR(0xc001_1020), "LS_CFG"), (.deCfg, "DE_CFG"),
  ]

  // Intel SDM vol. 3, appendix A (VMX capability reporting facility). Code uses them only as a range.
  private static let vmxNames: [(msr: MSR, name: String)] =
    [
      "BASIC", "PINBASED_CTLS", "PROCBASED_CTLS", "EXIT_CTLS", "ENTRY_CTLS", "MISC", "CR0_FIXED0", "CR0_FIXED1",
      "CR4_FIXED0", "CR4_FIXED1", "VMCS_ENUM", "PROCBASED_CTLS2", "EPT_VPID_CAP", "TRUE_PINBASED_CTLS",
      "TRUE_PROCBASED_CTLS", "TRUE_EXIT_CTLS", "TRUE_ENTRY_CTLS", "VMFUNC", "PROCBASED_CTLS3", "EXIT_CTLS2",
    ].enumerated().map { (MSR(rawValue: vmxCapabilities.lowerBound.rawValue + UInt32($0)), "IA32_VMX_" + $1) }

  // Intel SDM vol. 3, "x2APIC Register Address Space". Code uses them only as a range.
  private static let x2APICNames: [(msr: MSR, name: String)] = {
    let single: [(UInt32, String)] = [
      (0x02, "APICID"), (0x03, "VERSION"), (0x08, "TPR"), (0x0a, "PPR"), (0x0b, "EOI"), (0x0d, "LDR"),
      (0x0f, "SIVR"), (0x28, "ESR"), (0x2f, "LVT_CMCI"), (0x30, "ICR"), (0x32, "LVT_TIMER"),
      (0x33, "LVT_THERMAL"), (0x34, "LVT_PMI"), (0x35, "LVT_LINT0"), (0x36, "LVT_LINT1"), (0x37, "LVT_ERROR"),
      (0x38, "INIT_COUNT"), (0x39, "CUR_COUNT"), (0x3e, "DIV_CONF"), (0x3f, "SELF_IPI"),
    ]
    let banks: [(UInt32, String)] = [(0x10, "ISR"), (0x18, "TMR"), (0x20, "IRR")]
    let inBanks = banks.flatMap { first, name in (0..<8).map { (first + $0, "\(name)\($0)") } }
    return (single + inBanks).map { offset, name in
      (MSR(rawValue: x2APIC.lowerBound.rawValue + offset), "IA32_X2APIC_" + name)
    }
  }()
}
