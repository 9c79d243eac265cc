// The numbers of kvm_run.exit_reason and their names.
// Facts: Linux include/uapi/linux/kvm.h (KVM_EXIT_*); KVM API document, section 5.

/// Why KVM_RUN returned: KVM's own number.
@frozen public struct ExitReason: RawRepresentable, Hashable, Codable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let unknown = Self(rawValue: 0)
  public static let exception = Self(rawValue: 1)
  public static let io = Self(rawValue: 2)
  public static let hypercall = Self(rawValue: 3)
  public static let debug = Self(rawValue: 4)
  public static let halt = Self(rawValue: 5)
  public static let mmio = Self(rawValue: 6)
  public static let irqWindowOpen = Self(rawValue: 7)
  public static let shutdown = Self(rawValue: 8)
  public static let failEntry = Self(rawValue: 9)
  public static let interrupted = Self(rawValue: 10)
  public static let setTPR = Self(rawValue: 11)
  public static let tprAccess = Self(rawValue: 12)
  public static let nmi = Self(rawValue: 16)
  public static let internalError = Self(rawValue: 17)
  public static let systemEvent = Self(rawValue: 24)
  public static let ioapicEOI = Self(rawValue: 26)
  public static let hyperV = Self(rawValue: 27)
  public static let readMSR = Self(rawValue: 29)
  public static let writeMSR = Self(rawValue: 30)
  public static let dirtyRingFull = Self(rawValue: 31)
  public static let apResetHold = Self(rawValue: 32)
  public static let busLock = Self(rawValue: 33)
  public static let xen = Self(rawValue: 34)
  public static let notify = Self(rawValue: 37)
  public static let memoryFault = Self(rawValue: 39)

  /// The names by number, without KVM_EXIT_.
  private static let names = [
    "UNKNOWN", "EXCEPTION", "IO", "HYPERCALL", "DEBUG", "HLT", "MMIO", "IRQ_WINDOW_OPEN", "SHUTDOWN", "FAIL_ENTRY",
    "INTR", "SET_TPR", "TPR_ACCESS", "S390_SIEIC", "S390_RESET", "DCR", "NMI", "INTERNAL_ERROR", "OSI", "PAPR_HCALL",
    "S390_UCONTROL", "WATCHDOG", "S390_TSCH", "EPR", "SYSTEM_EVENT", "S390_STSI", "IOAPIC_EOI", "HYPERV", "ARM_NISV",
    "X86_RDMSR", "X86_WRMSR", "DIRTY_RING_FULL", "AP_RESET_HOLD", "X86_BUS_LOCK", "XEN", "RISCV_SBI", "RISCV_CSR",
    "NOTIFY", "LOONGARCH_IOCSR", "MEMORY_FAULT", "TDX", "ARM_SEA",
  ]
}

extension ExitReason: CustomStringConvertible {
  /// KVM's name, `KVM_EXIT_HLT`, or the number if it has none here.
  public var description: String {
    rawValue < UInt32(Self.names.count) ? "KVM_EXIT_\(Self.names[Int(rawValue)])" : "exit reason \(rawValue)"
  }
}
