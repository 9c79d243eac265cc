// The page that the guest and the VMM share, and the sample records after it: the whole ABI between them. The guest
// writes it, so the VMM must check what it reads.

import Registers

/// What the guest has written into its mailbox.
public struct Mailbox: Equatable, Sendable {
  /// Byte offsets into the page.
  ///
  /// Every field is a 64-bit word, little-endian.
  public enum Offset {
    /// How far the guest got (`State`).
    public static let state = 0x00
    /// How many samples to take: written by the VMM before the start.
    public static let samples = 0x08
    /// How often the kernel was entered, as the kernel counted.
    static let kernelEntries = 0x10
    /// CS at the kernel's entry, stored by the guest that proves an entry.
    static let entryCS = 0x18
    static let faultVector = 0x20
    static let faultErrorCode = 0x28
    static let faultRIP = 0x30
    static let faultCS = 0x38
    static let faultCR2 = 0x40
    /// CPUID leaf 7, subleaf 0, EDX, as the guest saw it.
    static let leaf7EDX = 0x48
    /// CPUID leaf 7, subleaf 2, EDX; 0 if the guest has no such subleaf.
    static let leaf7Subleaf2EDX = 0x50
    /// IA32_ARCH_CAPABILITIES as the guest read it; 0 if CPUID does not announce it.
    static let archCapabilities = 0x58
    /// CPUID leaf 8000_0008, EBX (AMD's bits); 0 if the guest has no such leaf.
    static let amdLeafEBX = 0x60
    /// CR3 at the kernel's entry, stored by the guest that proves an isolated entry.
    static let entryCR3 = 0x68
    /// CR3 when user mode has ended, stored by every guest with an isolated entry.
    static let userCR3 = 0x70
    /// The steps of the workload `probe`: `ProbeStep` records of two words.
    static let probeSteps = 0x100
  }

  /// How far a guest got.
  public enum State: UInt64, Sendable {
    case notStarted = 0, running = 1, done = 2, faulted = 3
  }

  public let state: State
  public let kernelEntries: UInt64
  public let entryCS: UInt16
  /// CR3 at the kernel's entry, and when user mode had ended; 0 for a guest that does not store it.
  public let entryCR3: UInt64
  public let userCR3: UInt64
  /// The exception that ended the guest; nil if there was none.
  public let fault: GuestFault?
  public let leaf7EDX: UInt32
  public let leaf7Subleaf2EDX: UInt32
  public let archCapabilities: UInt64
  /// CPUID leaf 8000_0008, EBX.
  public let amdLeafEBX: UInt32
  public let probeSteps: [ProbeStep.Outcome]

  /// Reads a mailbox page; nil if it is too short or its state is invalid.
  public init?(page: [UInt8]) {
    guard page.count >= Layout.pageSize else { return nil }
    func word(_ offset: Int) -> UInt64 { page.littleEndianWord(at: offset) }
    guard let state = State(rawValue: word(Offset.state)) else { return nil }
    self.state = state
    kernelEntries = word(Offset.kernelEntries)
    entryCS = UInt16(truncatingIfNeeded: word(Offset.entryCS))
    entryCR3 = word(Offset.entryCR3)
    userCR3 = word(Offset.userCR3)
    fault =
      state == .faulted
      ? GuestFault(
        vector: word(Offset.faultVector), errorCode: word(Offset.faultErrorCode), rip: word(Offset.faultRIP),
        cs: UInt16(truncatingIfNeeded: word(Offset.faultCS)), cr2: word(Offset.faultCR2)) : nil
    leaf7EDX = UInt32(truncatingIfNeeded: word(Offset.leaf7EDX))
    leaf7Subleaf2EDX = UInt32(truncatingIfNeeded: word(Offset.leaf7Subleaf2EDX))
    archCapabilities = word(Offset.archCapabilities)
    amdLeafEBX = UInt32(truncatingIfNeeded: word(Offset.amdLeafEBX))
    probeSteps = ProbeStep.allCases.map { step in
      let offset = Offset.probeSteps + step.rawValue * 16
      return ProbeStep.Outcome(step: step, faulted: word(offset) != 0, value: word(offset + 8))
    }
  }
}

extension Mailbox {
  /// Whether the kernel of an isolated entry ran under its own page tables, and user mode under others, each with its
  /// PCID.
  public var showsIsolation: Bool { entryCR3 == IsolatedEntry.kernelCR3 && userCR3 == IsolatedEntry.userCR3 }
}

/// An exception that ended a guest.
public struct GuestFault: Equatable, Sendable {
  public let vector: UInt64
  /// 0 if the vector has none.
  public let errorCode: UInt64
  public let rip: UInt64
  public let cs: UInt16
  /// The address of a page fault; meaningless for other vectors.
  public let cr2: UInt64
}

extension GuestFault: CustomStringConvertible {
  private static let names = [
    "divide error", "debug exception", "NMI", "breakpoint", "overflow", "bound range exceeded", "invalid opcode",
    "device not available", "double fault", "coprocessor segment overrun", "invalid TSS", "segment not present",
    "stack-segment fault", "general protection", "page fault", "reserved", "x87 floating-point error",
    "alignment check", "machine check", "SIMD floating-point exception", "virtualization exception",
    "control protection exception",
  ]

  public var description: String {
    let name = vector < UInt64(Self.names.count) ? Self.names[Int(vector)] : "exception"
    let address = vector == 14 ? ", address \(cr2.hex)" : ""
    return
      "\(name) (vector \(vector), error code \(errorCode.hex)\(address)) at rip \(rip.hex) in ring \(cs & 3)"
  }
}

/// One sample: its number of iterations, set by the VMM, and the time stamps around them.
public struct SampleRecord: Equatable, Sendable {
  /// The length of one record in bytes: three 64-bit words.
  public static let size = 24
  /// The most records that memory has room for.
  public static let maximumCount = (Layout.memorySize - Int(Layout.samples)) / size

  /// Byte offsets into a record.
  enum Offset {
    /// Written by the VMM: how many iterations this sample has, 32 bits.
    static let iterations = 0
    /// Written by the VMM: not 0 to make the guest pause before this sample (`Port.pause`).
    static let pause = 4
    /// Written by the guest: the time-stamp counter before and after.
    static let start = 8
    static let end = 16
  }

  public let iterations: UInt32
  public let start: UInt64
  public let end: UInt64

  /// Whether the guest has stored both stamps completely.
  ///
  /// It stores each in two halves, the low one first, and may be stopped in between: an end without its high half is
  /// below the start.
  public var isComplete: Bool { end != 0 && end >= start }

  /// The clock ticks between the two stamps.
  public var ticks: UInt64 { end &- start }

  /// Reads as many whole records as `bytes` holds.
  public static func records(in bytes: [UInt8]) -> [SampleRecord] {
    (0..<bytes.count / size).map { index in
      SampleRecord(
        iterations: UInt32(truncatingIfNeeded: bytes.littleEndianWord(at: index * size + Offset.iterations)),
        start: bytes.littleEndianWord(at: index * size + Offset.start),
        end: bytes.littleEndianWord(at: index * size + Offset.end))
    }
  }
}

extension [UInt8] {
  /// The 64-bit word at this offset.
  func littleEndianWord(at offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(self[offset + $1]) << UInt64($1 * 8) }
  }
}
