// The names of CPUID's features, for sentences about what a host lacks. A bit without a name here is called by its
// place.
//
// Facts: Intel SDM vol. 2 (CPUID); AMD APM vol. 3, appendix E; Linux arch/x86/include/asm/cpufeatures.h (the spelling)
// and Documentation/virt/kvm/x86/cpuid.rst (leaf 4000_0001H). What has a constant in CPUFeature is named there.

import Hypervisor

extension CPUIDWord {
  /// The names of a word's bits, by position.
  static let names: [CPUIDWord: [Int: String]] = [
    CPUIDWord(1, 0, .ecx): [
      0: "SSE3", 1: "PCLMULQDQ", 2: "DTES64", 3: "MONITOR", 4: "DS_CPL", 6: "SMX", 7: "EST", 8: "TM2", 9: "SSSE3",
      10: "CNXT_ID", 11: "SDBG", 12: "FMA", 13: "CX16", 14: "XTPR", 15: "PDCM", 17: "PCID", 18: "DCA", 19: "SSE4_1",
      20: "SSE4_2", 22: "MOVBE", 23: "POPCNT", 25: "AES", 26: "XSAVE", 27: "OSXSAVE", 28: "AVX", 29: "F16C",
      30: "RDRAND",
    ],
    CPUIDWord(1, 0, .edx): legacy.merging([
      9: "APIC", 18: "PN", 19: "CLFLUSH", 21: "DS", 22: "ACPI", 25: "SSE", 26: "SSE2", 27: "SS", 28: "HTT", 29: "TM",
      31: "PBE",
    ]) { $1 },
    CPUIDWord(6, 0, .eax): [2: "ARAT"],
    CPUIDWord(7, 0, .ebx): [
      0: "FSGSBASE", 2: "SGX", 3: "BMI1", 4: "HLE", 5: "AVX2", 6: "FDP_EXCPTN_ONLY", 7: "SMEP", 8: "BMI2", 9: "ERMS",
      10: "INVPCID", 11: "RTM", 12: "CQM", 13: "ZERO_FCS_FDS", 14: "MPX", 15: "RDT_A", 16: "AVX512F", 17: "AVX512DQ",
      18: "RDSEED", 19: "ADX", 20: "SMAP", 21: "AVX512IFMA", 23: "CLFLUSHOPT", 24: "CLWB", 25: "INTEL_PT",
      26: "AVX512PF", 27: "AVX512ER", 28: "AVX512CD", 29: "SHA_NI", 30: "AVX512BW", 31: "AVX512VL",
    ],
    CPUIDWord(7, 0, .ecx): [
      0: "PREFETCHWT1", 1: "AVX512VBMI", 2: "UMIP", 3: "PKU", 4: "OSPKE", 5: "WAITPKG", 6: "AVX512_VBMI2", 7: "SHSTK",
      8: "GFNI", 9: "VAES", 10: "VPCLMULQDQ", 11: "AVX512_VNNI", 12: "AVX512_BITALG", 13: "TME",
      14: "AVX512_VPOPCNTDQ", 16: "LA57", 22: "RDPID", 24: "BUS_LOCK_DETECT", 25: "CLDEMOTE", 27: "MOVDIRI",
      28: "MOVDIR64B", 29: "ENQCMD", 30: "SGX_LC", 31: "PKS",
    ],
    CPUIDWord(7, 0, .edx): [
      2: "AVX512_4VNNIW", 3: "AVX512_4FMAPS", 4: "FSRM", 8: "AVX512_VP2INTERSECT", 9: "SRBDS_CTRL",
      11: "RTM_ALWAYS_ABORT", 14: "SERIALIZE", 15: "HYBRID_CPU", 16: "TSXLDTRK", 18: "PCONFIG", 19: "ARCH_LBR",
      20: "IBT", 22: "AMX_BF16", 23: "AVX512_FP16", 24: "AMX_TILE", 25: "AMX_INT8",
    ],
    CPUIDWord(7, 1, .eax): [
      0: "SHA512", 1: "SM3", 2: "SM4", 4: "AVX_VNNI", 5: "AVX512_BF16", 7: "CMPCCXADD", 10: "FZRM", 11: "FSRS",
      12: "FSRC", 17: "FRED", 18: "LKGS", 19: "WRMSRNS", 21: "AMX_FP16", 23: "AVX_IFMA", 26: "LAM",
    ],
    CPUIDWord(7, 1, .edx): [
      4: "AVX_VNNI_INT8", 5: "AVX_NE_CONVERT", 8: "AMX_COMPLEX", 10: "AVX_VNNI_INT16", 14: "PREFETCHI", 19: "AVX10",
    ],
    CPUIDWord(0xd, 0, .eax): [
      0: "XCR0_X87", 1: "XCR0_SSE", 2: "XCR0_AVX", 3: "XCR0_BNDREGS", 4: "XCR0_BNDCSR", 5: "XCR0_OPMASK",
      6: "XCR0_ZMM_HI256", 7: "XCR0_HI16_ZMM", 9: "XCR0_PKRU", 17: "XCR0_TILECFG", 18: "XCR0_TILEDATA",
    ],
    CPUIDWord(0xd, 1, .eax): [0: "XSAVEOPT", 1: "XSAVEC", 2: "XGETBV1", 3: "XSAVES", 4: "XFD"],
    CPUIDWord(0xd, 1, .ecx): [8: "XSS_PT", 11: "XSS_CET_U", 12: "XSS_CET_S"],
    CPUIDWord(0x4000_0001, 0, .eax): [
      0: "KVM_CLOCKSOURCE", 1: "KVM_NOP_IO_DELAY", 2: "KVM_MMU_OP", 3: "KVM_CLOCKSOURCE2", 4: "KVM_ASYNC_PF",
      5: "KVM_STEAL_TIME", 6: "KVM_PV_EOI", 7: "KVM_PV_UNHALT", 9: "KVM_PV_TLB_FLUSH", 10: "KVM_ASYNC_PF_VMEXIT",
      11: "KVM_PV_SEND_IPI", 12: "KVM_POLL_CONTROL", 13: "KVM_PV_SCHED_YIELD", 14: "KVM_ASYNC_PF_INT",
      15: "KVM_MSI_EXT_DEST_ID", 16: "KVM_HC_MAP_GPA_RANGE", 17: "KVM_MIGRATION_CONTROL", 24: "KVM_CLOCKSOURCE_STABLE",
    ],
    CPUIDWord(0x8000_0001, 0, .ecx): [
      0: "LAHF_LM", 1: "CMP_LEGACY", 3: "EXTAPIC", 4: "CR8_LEGACY", 5: "ABM", 6: "SSE4A", 7: "MISALIGNSSE",
      8: "3DNOWPREFETCH", 9: "OSVW", 10: "IBS", 11: "XOP", 12: "SKINIT", 13: "WDT", 15: "LWP", 16: "FMA4", 17: "TCE",
      19: "NODEID_MSR", 21: "TBM", 22: "TOPOEXT", 23: "PERFCTR_CORE", 24: "PERFCTR_NB", 26: "BPEXT", 27: "PTSC",
      28: "PERFCTR_LLC", 29: "MWAITX",
    ],
    // AMD repeats leaf 1 here.
    CPUIDWord(0x8000_0001, 0, .edx): legacy.mapValues { "AMD_" + $0 }.merging([
      19: "MP", 20: "NX", 22: "MMXEXT", 25: "FXSR_OPT", 26: "GBPAGES", 30: "3DNOWEXT", 31: "3DNOW",
    ]) { $1 },
    CPUIDWord(0x8000_0008, 0, .ebx): [
      0: "CLZERO", 1: "IRPERF", 2: "XSAVEERPTR", 4: "RDPRU", 9: "WBNOINVD", 23: "AMD_PPIN", 27: "CPPC", 29: "BTC_NO",
      30: "IBPB_RET",
    ],
    CPUIDWord(0x8000_0021, 0, .eax): [
      0: "NO_NESTED_DATA_BP", 5: "VERW_CLEAR", 6: "NULL_SEL_CLR_BASE", 9: "NO_SMM_CTL_MSR", 28: "IBPB_BRTYPE",
      29: "SRSO_NO",
    ],
    CPUIDWord(0x8000_0021, 0, .ecx): [1: "TSA_SQ_NO", 2: "TSA_L1_NO"],
    CPUIDWord(0x8000_0022, 0, .eax): [0: "PERFMON_V2"],
  ]

  /// The bits of EDX that leaf 1 and AMD's leaf 8000_0001H share.
  private static let legacy: [Int: String] = [
    0: "FPU", 1: "VME", 2: "DE", 3: "PSE", 4: "TSC", 5: "MSR", 6: "PAE", 7: "MCE", 8: "CX8", 9: "APIC", 12: "MTRR",
    13: "PGE", 14: "MCA", 15: "CMOV", 16: "PAT", 17: "PSE36", 23: "MMX", 24: "FXSR",
  ]
}
