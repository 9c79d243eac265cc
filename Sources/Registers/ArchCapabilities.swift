// IA32_ARCH_CAPABILITIES (MSR 0x10a): which speculation attacks a CPU resists, IBRS_ALL among them. Every bit has a
// name; those that code uses have a constant, too.
//
// Facts: Intel SDM vol. 4, table 2-2, register 10AH; Linux arch/x86/include/asm/msr-index.h (ARCH_CAP_*); bits 16, 22,
// 29, 30, 32 and 63 from Intel's later security guidance. AMD CPUs do not have the register; KVM emulates it on them.

/// The value of IA32_ARCH_CAPABILITIES: which attacks a CPU resists and which controls it has.
@frozen
public struct ArchCapabilities: NamedBits {
  /// The register's value.
  public var rawValue: UInt64

  /// The given value, including reserved bits.
  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// RDCL_NO: not susceptible to rogue data cache load (Meltdown).
  @inlinable public static var rdclNo: Self { Self(rawValue: 1 << 0) }
  /// IBRS_ALL: enhanced IBRS: IBRS may be set once and left on.
  @inlinable public static var ibrsAll: Self { Self(rawValue: 1 << 1) }
  /// RSBA: RET may use predictors other than the return stack buffer.
  @inlinable public static var rsba: Self { Self(rawValue: 1 << 2) }
  /// SKIP_L1DFL_VMENTRY: the hypervisor need not flush the L1D on VM entry.
  @inlinable public static var skipL1DFlushOnEntry: Self { Self(rawValue: 1 << 3) }
  /// SSB_NO: not susceptible to speculative store bypass.
  @inlinable public static var ssbNo: Self { Self(rawValue: 1 << 4) }
  /// MDS_NO: not susceptible to microarchitectural data sampling.
  @inlinable public static var mdsNo: Self { Self(rawValue: 1 << 5) }
  /// IF_PSCHANGE_MC_NO: no machine check when a code page changes its size.
  @inlinable public static var ifPschangeMCNo: Self { Self(rawValue: 1 << 6) }
  /// TSX_CTRL: IA32_TSX_CTRL exists.
  @inlinable public static var tsxCtrl: Self { Self(rawValue: 1 << 7) }
  /// TAA_NO: not susceptible to TSX asynchronous abort.
  @inlinable public static var taaNo: Self { Self(rawValue: 1 << 8) }
  /// SBDR_SSDP_NO: not susceptible to shared buffers data read and sideband stale data propagation.
  @inlinable public static var sbdrSSDPNo: Self { Self(rawValue: 1 << 13) }
  /// FBSDP_NO: not susceptible to fill buffer stale data propagation.
  @inlinable public static var fbsdpNo: Self { Self(rawValue: 1 << 14) }
  /// PSDP_NO: not susceptible to primary stale data propagation.
  @inlinable public static var psdpNo: Self { Self(rawValue: 1 << 15) }
  /// FB_CLEAR: VERW clears the fill buffers.
  @inlinable public static var fbClear: Self { Self(rawValue: 1 << 17) }
  /// RRSBA: like RSBA, with targets restricted while IBRS is on.
  @inlinable public static var rrsba: Self { Self(rawValue: 1 << 19) }
  /// BHI_NO: not susceptible to branch history injection.
  @inlinable public static var bhiNo: Self { Self(rawValue: 1 << 20) }
  /// PBRSB_NO: not susceptible to post-barrier return stack buffer predictions.
  @inlinable public static var pbrsbNo: Self { Self(rawValue: 1 << 24) }
  /// GDS_NO: not susceptible to gather data sampling.
  @inlinable public static var gdsNo: Self { Self(rawValue: 1 << 26) }
  /// RFDS_NO: not susceptible to register file data sampling.
  @inlinable public static var rfdsNo: Self { Self(rawValue: 1 << 27) }
  /// RFDS_CLEAR: VERW clears the register files.
  @inlinable public static var rfdsClear: Self { Self(rawValue: 1 << 28) }
  /// ITS_NO: not susceptible to indirect target selection; hypervisors set it, hardware does not.
  @inlinable public static var itsNo: Self { Self(rawValue: 1 << 62) }

  /// The bits that have a name; 31 and 33 to 61 are reserved.
  public static let bitNames: [(bit: Int, name: String)] = [
    (0, "RDCL_NO"), (1, "IBRS_ALL"), (2, "RSBA"), (3, "SKIP_L1DFL_VMENTRY"), (4, "SSB_NO"), (5, "MDS_NO"),
    (6, "IF_PSCHANGE_MC_NO"), (7, "TSX_CTRL"), (8, "TAA_NO"), (9, "MCU_CONTROL"), (10, "MISC_PACKAGE_CTLS"),
    (11, "ENERGY_FILTERING_CTL"), (12, "DOITM"), (13, "SBDR_SSDP_NO"), (14, "FBSDP_NO"), (15, "PSDP_NO"),
    (16, "MCU_ENUMERATION"), (17, "FB_CLEAR"), (18, "FB_CLEAR_CTRL"), (19, "RRSBA"), (20, "BHI_NO"),
    (21, "XAPIC_DISABLE_STATUS"), (22, "MCU_EXTENDED_SERVICE"), (23, "OVERCLOCKING_STATUS"), (24, "PBRSB_NO"),
    (25, "GDS_CTRL"), (26, "GDS_NO"), (27, "RFDS_NO"), (28, "RFDS_CLEAR"), (29, "IGN_UMONITOR_SUPPORT"),
    (30, "MON_UMON_MITG_SUPPORT"), (32, "PBOPT_SUPPORT"), (62, "ITS_NO"), (63, "VIRTUAL_ENUMERATION"),
  ]
}
