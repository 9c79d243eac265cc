// Why the guest stopped: the exits that a run loop answers, decoded from kvm_run.
// Facts: KVM API document, section 5 (the kvm_run structure).

public import CKVM

/// Why KVM_RUN returned, as a run loop needs it: small, and trivially copied.
///
/// `VirtualCPU.exitDetail` decodes `other` completely.
@frozen public enum Exit: Equatable, Sendable, BitwiseCopyable {
  /// HLT, with no in-kernel interrupt controller.
  case halt
  /// OUT, or REP OUTS: the data is `VirtualCPU.data(of:)`.
  case portOut(PortAccess)
  /// IN, or REP INS: answer with `VirtualCPU.answer(_:with:)`.
  case portIn(PortAccess)
  /// A store to an address without memory.
  case mmioWrite(MMIOAccess)
  /// A load from an address without memory: answer with `VirtualCPU.answerMMIO(with:)`.
  case mmioRead(MMIOAccess)
  /// RDMSR that exited to the VMM: faults in the guest unless it is answered.
  case readMSR(MSRAccess)
  /// WRMSR that exited to the VMM: faults in the guest unless it is answered.
  case writeMSR(MSRAccess)
  /// A signal ended KVM_RUN. The guest did not exit, and the next run continues it.
  case interrupted
  /// Everything else.
  case other(ExitReason)
}

/// The `io` member of kvm_run: `count` accesses of `size` bytes each to one port.
@frozen public struct PortAccess: Equatable, Sendable, BitwiseCopyable {
  /// Size, port and count as they stand side by side in kvm_run, so that one comparison asks about all three.
  @usableFromInline let word: UInt64
  /// Where the data begins, in bytes from the start of kvm_run.
  @usableFromInline let dataOffset: UInt64

  @inlinable public var port: UInt16 { UInt16(truncatingIfNeeded: word >> 16) }
  /// 1, 2 or 4 bytes.
  @inlinable public var size: UInt8 { UInt8(truncatingIfNeeded: word >> 8) }
  /// More than 1 for a REP INS or REP OUTS.
  @inlinable public var count: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }

  @inlinable init(port: UInt16, size: UInt8, count: UInt32, dataOffset: UInt64) {
    word = UInt64(size) << 8 | UInt64(port) << 16 | UInt64(count) << 32
    self.dataOffset = dataOffset
  }

  /// Whether it is a single byte at this port.
  @inlinable func isByte(at port: UInt16) -> Bool { word == 1 << 8 | UInt64(port) << 16 | 1 << 32 }

  /// The length of the data in bytes.
  @inlinable public var byteCount: Int { Int(size) * Int(count) }
}

/// The `mmio` member of kvm_run.
@frozen public struct MMIOAccess: Equatable, Sendable, BitwiseCopyable {
  public let address: GuestPhysicalAddress
  /// 1 to 8 bytes.
  public let length: Int
  /// What a store wrote, little-endian; 0 for a load.
  public let value: UInt64

  @inlinable init(address: GuestPhysicalAddress, length: Int, value: UInt64) {
    self.address = address
    self.length = length
    self.value = value
  }
}

/// The `msr` member of kvm_run.
@frozen public struct MSRAccess: Equatable, Sendable, BitwiseCopyable {
  public let msr: MSR
  /// Why it exited to the VMM.
  public let reason: MSRExitReasons
  /// What the guest writes; 0 for a read.
  public let value: UInt64

  @inlinable init(msr: MSR, reason: MSRExitReasons, value: UInt64) {
    self.msr = msr
    self.reason = reason
    self.value = value
  }
}

/// The answer to an MSR access that exited to the VMM.
@frozen public enum MSRReply: Equatable, Sendable, BitwiseCopyable {
  /// A read returns this value to the guest.
  case value(UInt64)
  /// A write succeeds.
  case accept
  /// The access raises #GP in the guest.
  case fault
}

extension Exit {
  /// Decodes the exit that the last KVM_RUN left in `run`.
  @inlinable @inline(__always) init(decoding run: UnsafeMutablePointer<kvm_run>, _ reason: UInt32) {
    // WRMSR is compared first, because this project measures it: the jump table takes five instructions more
    // (scripts/instructions-per-exit).
    if _fastPath(reason == UInt32(KVM_EXIT_X86_WRMSR)) {
      self = unsafe .writeMSR(MSRAccess(run, value: run.pointee.msr.data))
      return
    }
    switch CInt(truncatingIfNeeded: reason) {
    case KVM_EXIT_IO:
      let io = unsafe run.pointee.io
      let access = PortAccess(port: io.port, size: io.size, count: io.count, dataOffset: io.data_offset)
      self = CInt(io.direction) == KVM_EXIT_IO_OUT ? .portOut(access) : .portIn(access)
    case KVM_EXIT_HLT: self = .halt
    case KVM_EXIT_X86_RDMSR: self = unsafe .readMSR(MSRAccess(run, value: 0))
    case KVM_EXIT_INTR: self = .interrupted
    case KVM_EXIT_MMIO:
      let mmio = unsafe run.pointee.mmio
      let access = MMIOAccess(mmio.phys_addr, length: mmio.len, data: mmio.data, isWrite: mmio.is_write != 0)
      self = mmio.is_write != 0 ? .mmioWrite(access) : .mmioRead(access)
    default: self = .other(ExitReason(rawValue: reason))
    }
  }
}

extension MSRAccess {
  @inlinable @inline(__always) init(_ run: UnsafeMutablePointer<kvm_run>, value: UInt64) {
    let reason = unsafe run.pointee.msr.reason
    self.init(
      msr: unsafe MSR(rawValue: run.pointee.msr.index),
      reason: MSRExitReasons(rawValue: UInt32(truncatingIfNeeded: reason)), value: value)
  }
}

extension MMIOAccess {
  // Not inlined: this is not the hot path.
  @usableFromInline @inline(never) init(
    _ address: UInt64, length: UInt32, data: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8), isWrite: Bool
  ) {
    // Safe: eight bytes are a 64-bit word.
    let word = unsafe withUnsafeBytes(of: data) { unsafe $0.loadUnaligned(as: UInt64.self) }.littleEndian
    let length = min(Int(length), 8)
    let mask: UInt64 = length == 8 ? .max : (1 << UInt64(length * 8)) - 1
    self.init(address: GuestPhysicalAddress(rawValue: address), length: length, value: isWrite ? word & mask : 0)
  }
}
