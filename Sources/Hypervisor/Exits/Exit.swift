// Why the guest stopped: the exits that a run loop answers, decoded from kvm_run.
// Facts: KVM API document, section 5 (the kvm_run structure).

public import CKVM

/// Why KVM_RUN came back, as far as a run loop must know: small, and trivially copied.
///
/// What `other` carries is decoded in full by `VirtualCPU.exitDetail`.
@frozen public enum Exit: Equatable, Sendable, BitwiseCopyable {
  /// HLT, with no in-kernel interrupt controller.
  case halt
  /// OUT, or REP OUTS: the data is `VirtualCPU.data(of:)`.
  case portOut(PortAccess)
  /// IN, or REP INS: to be answered by `VirtualCPU.answer(_:with:)`.
  case portIn(PortAccess)
  /// A store to an address without memory.
  case mmioWrite(MMIOAccess)
  /// A load from an address without memory: to be answered by `VirtualCPU.answerMMIO(with:)`.
  case mmioRead(MMIOAccess)
  /// RDMSR that KVM handed over: to be answered, else it faults in the guest.
  case readMSR(MSRAccess)
  /// WRMSR that KVM handed over: to be answered, else it faults in the guest.
  case writeMSR(MSRAccess)
  /// A signal ended KVM_RUN. Not an exit of the guest's: nothing is lost, and the next run goes on.
  case interrupted
  /// Everything else.
  case other(ExitReason)
}

/// The `io` member of kvm_run: `count` accesses of `size` bytes each to one port.
@frozen public struct PortAccess: Equatable, Sendable, BitwiseCopyable {
  public let port: UInt16
  /// 1, 2 or 4 bytes.
  public let size: UInt8
  /// More than 1 for a REP INS or REP OUTS.
  public let count: UInt32
  /// Where the data begins, in bytes from the start of kvm_run.
  @usableFromInline let dataOffset: UInt64

  @inlinable init(port: UInt16, size: UInt8, count: UInt32, dataOffset: UInt64) {
    self.port = port
    self.size = size
    self.count = count
    self.dataOffset = dataOffset
  }

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
  /// Why KVM handed it over.
  public let reason: MSRExitReasons
  /// What the guest writes; 0 for a read.
  public let value: UInt64

  @inlinable init(msr: MSR, reason: MSRExitReasons, value: UInt64) {
    self.msr = msr
    self.reason = reason
    self.value = value
  }
}

/// The answer to an MSR access that KVM handed over.
@frozen public enum MSRReply: Equatable, Sendable, BitwiseCopyable {
  /// A read gives this value to the guest.
  case value(UInt64)
  /// A write is done.
  case accept
  /// The access raises #GP in the guest.
  case fault
}

extension Exit {
  /// Decodes the exit that the last KVM_RUN left in `run`.
  ///
  /// An MSR access is marked as failed here, so that one which nobody answers raises #GP instead of passing in silence.
  @inlinable @inline(__always) init(decoding run: UnsafeMutablePointer<kvm_run>, _ reason: UInt32) {
    switch CInt(truncatingIfNeeded: reason) {
    case KVM_EXIT_IO:
      let io = unsafe run.pointee.io
      let access = PortAccess(port: io.port, size: io.size, count: io.count, dataOffset: io.data_offset)
      self = CInt(io.direction) == KVM_EXIT_IO_OUT ? .portOut(access) : .portIn(access)
    case KVM_EXIT_X86_WRMSR:
      unsafe run.pointee.msr.error = 1
      self = unsafe .writeMSR(
        MSRAccess(
          msr: MSR(rawValue: run.pointee.msr.index),
          reason: MSRExitReasons(rawValue: UInt32(truncatingIfNeeded: run.pointee.msr.reason)),
          value: run.pointee.msr.data))
    case KVM_EXIT_X86_RDMSR:
      unsafe run.pointee.msr.error = 1
      self = unsafe .readMSR(
        MSRAccess(
          msr: MSR(rawValue: run.pointee.msr.index),
          reason: MSRExitReasons(rawValue: UInt32(truncatingIfNeeded: run.pointee.msr.reason)), value: 0))
    case KVM_EXIT_HLT: self = .halt
    case KVM_EXIT_INTR: self = .interrupted
    case KVM_EXIT_MMIO:
      let mmio = unsafe run.pointee.mmio
      let isWrite = mmio.is_write != 0
      let bytes = mmio.data
      let length = min(Int(mmio.len), 8)
      var value: UInt64 = 0
      if isWrite {
        let raw = UInt64(bytes.0) | UInt64(bytes.1) << 8 | UInt64(bytes.2) << 16 | UInt64(bytes.3) << 24
        let high = UInt64(bytes.4) | UInt64(bytes.5) << 8 | UInt64(bytes.6) << 16 | UInt64(bytes.7) << 24
        value = raw | high << 32
        if length < 8 { value &= (1 << UInt64(length * 8)) - 1 }
      }
      let access = MMIOAccess(address: GuestPhysicalAddress(rawValue: mmio.phys_addr), length: length, value: value)
      self = isWrite ? .mmioWrite(access) : .mmioRead(access)
    default: self = .other(ExitReason(rawValue: reason))
    }
  }
}
