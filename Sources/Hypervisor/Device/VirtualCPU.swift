// A vCPU: its descriptor, its kvm_run, and how it is entered.
// Facts: KVM API document, sections 4.10 (KVM_RUN) and 5 (kvm_run).

public import CKVM
public import SystemPackage

/// A virtual CPU.
///
/// Only one thread uses it at a time: the value is exclusive.
///
/// Invariant: `page` holds a kvm_run as long as the value lives. The kernel writes it only during KVM_RUN.
@safe public struct VirtualCPU: ~Copyable, Sendable {
  @usableFromInline let descriptor: Descriptor
  @usableFromInline var page: Mapping
  /// Tells the VM that this vCPU can still run.
  private let membership: VMUserCount.Membership

  init(descriptor: consuming Descriptor, page: consuming Mapping, membership: VMUserCount.Membership) {
    precondition(page.count >= MemoryLayout<kvm_run>.size)
    self.membership = membership
    self.descriptor = descriptor
    self.page = page
  }

  @usableFromInline @inline(__always) var state: UnsafeMutablePointer<kvm_run> {
    // Safe: by the invariant; what the fields say is checked where it is used.
    @inlinable get { unsafe page.base.assumingMemoryBound(to: kvm_run.self) }
  }

  /// The byte that makes KVM_RUN return at once when it is 1, as if a signal had come.
  @usableFromInline var immediateExit: UnsafeMutablePointer<UInt8> {
    // Safe: the first bytes of kvm_run, by the invariant.
    @inlinable get {
      unsafe page.base.assumingMemoryBound(to: UInt8.self) + MemoryLayout<kvm_run>.offset(of: \.immediate_exit)!
    }
  }

  /// Enters the guest until its next exit, and returns KVM's number of the reason; `KVM_EXIT_INTR` for a signal.
  ///
  /// - Throws: `KVMError` when KVM cannot run the vCPU.
  @inlinable @inline(__always) mutating func enter() throws(KVMError) -> UInt32 {
    let result = ckvm_ioctl(descriptor.raw, .run, 0)
    if result < 0 {
      if result == -EINTR { return UInt32(KVM_EXIT_INTR) }
      throw KVMError(.request(.run), Errno(rawValue: -result))
    }
    return unsafe state.pointee.exit_reason
  }

  /// Enters the guest until its next exit.
  ///
  /// The instruction that exited is complete only after the next run. An MSR access that is not answered by then faults
  /// in the guest.
  ///
  /// - Throws: `KVMError` when KVM cannot run the vCPU.
  @inlinable public mutating func run() throws(KVMError) -> Exit {
    let reason = try enter()
    let exit = unsafe Exit(decoding: state, reason)
    switch exit {
    case .readMSR, .writeMSR: answer(.fault)
    default: break
    }
    return exit
  }

  /// Makes KVM finish the last exit (a pending IN, MMIO load, RDMSR or WRMSR) without running guest code after it.
  ///
  /// Only then do registers and memory show the finished instruction. Returns the new exit that finishing may cause
  /// (the other half of an MMIO access across two pages), nil if nothing is pending any more. A REP string instruction
  /// then stands at its next element, and RCX says how many are left.
  ///
  /// - Throws: `KVMError` when KVM cannot.
  public mutating func completeExit() throws(KVMError) -> Exit? {
    unsafe state.pointee.immediate_exit = 1
    defer { unsafe state.pointee.immediate_exit = 0 }
    let exit = try run()
    return exit == .interrupted ? nil : exit
  }

  /// Makes the next KVM_RUN return without entering the guest; what the last exit left undone is finished by it.
  public func interruptNextEntry() {
    // Safe: by the invariant.
    unsafe state.pointee.immediate_exit = 1
  }

  /// Makes a pending MSR access fault in the guest if it ever runs again.
  @usableFromInline @inline(never) mutating func refusePendingMSRAccess() {
    // Safe: by the invariant.
    let reason = unsafe ExitReason(rawValue: state.pointee.exit_reason)
    if reason == .readMSR || reason == .writeMSR { answer(.fault) }
  }

  // MARK: Answers

  /// Answers a `readMSR` or `writeMSR` exit; takes effect at the next run.
  @inlinable @inline(__always) public mutating func answer(_ reply: MSRReply) {
    switch reply {
    case .value(let value):
      unsafe state.pointee.msr.data = value
      unsafe state.pointee.msr.error = 0
    case .accept: unsafe state.pointee.msr.error = 0
    case .fault: unsafe state.pointee.msr.error = 1
    }
  }

  /// The bytes that a `portOut` carries, or that a `portIn` waits for: `count` elements of `size` bytes, little-endian.
  ///
  /// Empty if KVM claims an access outside kvm_run, which it should never do.
  @_lifetime(borrow self)
  public func data(of access: PortAccess) -> RawSpan { page.bytes.extracting(dataRange(of: access)) }

  /// Answers a `portIn` exit with as many bytes as it waits for; missing ones read as all ones, like an empty bus.
  public mutating func answer(_ access: PortAccess, with bytes: some Sequence<UInt8>) {
    let range = dataRange(of: access)
    var memory = page.mutableBytes
    var source = bytes.makeIterator()
    for offset in range {
      memory.storeBytes(of: source.next() ?? 0xff, toByteOffset: offset, as: UInt8.self)
    }
  }

  /// Answers a `portIn` exit without an array: `value` returns each element in turn, of which the lowest `access.size`
  /// bytes count.
  @inlinable public mutating func answer(_ access: PortAccess, each value: () -> UInt32) {
    let range = dataRange(of: access)
    let size = Int(access.size)
    guard size == 1 || size == 2 || size == 4 else { return }
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: size) {
      let element = value()
      // Safe: the range lies within the page, and is a whole number of elements long.
      switch size {
      case 1: unsafe page.base.storeBytes(of: UInt8(truncatingIfNeeded: element), toByteOffset: offset, as: UInt8.self)
      case 2:
        unsafe page.base.storeBytes(of: UInt16(truncatingIfNeeded: element), toByteOffset: offset, as: UInt16.self)
      default: unsafe page.base.storeBytes(of: element, toByteOffset: offset, as: UInt32.self)
      }
    }
  }

  /// The byte that a `portOut` carries which is a single byte to this port; nil for any other.
  @inlinable public func byte(of access: PortAccess, to port: UInt16) -> UInt8? {
    guard access.isByte(at: port), access.dataOffset < UInt64(truncatingIfNeeded: page.count) else { return nil }
    // Safe: the byte lies within the page.
    return unsafe page.base.load(fromByteOffset: Int(truncatingIfNeeded: access.dataOffset), as: UInt8.self)
  }

  /// The elements that a `portOut` carries, one after the other.
  @inlinable public func forEachElement(of access: PortAccess, _ body: (UInt32) -> Void) {
    let range = dataRange(of: access)
    let size = Int(access.size)
    guard size == 1 || size == 2 || size == 4 else { return }
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: size) {
      // Safe: the range lies within the page, and is a whole number of elements long.
      switch size {
      case 1: body(UInt32(unsafe page.base.loadUnaligned(fromByteOffset: offset, as: UInt8.self)))
      case 2: body(UInt32(unsafe page.base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
      default: body(unsafe page.base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      }
    }
  }

  /// Answers an `mmioRead` exit with this value, little-endian.
  public mutating func answerMMIO(with value: UInt64) {
    // Safe: the 8 bytes of the `data` member.
    unsafe withUnsafeMutableBytes(of: &state.pointee.mmio.data) {
      unsafe $0.storeBytes(of: value.littleEndian, as: UInt64.self)
    }
  }

  @inlinable func dataRange(of access: PortAccess) -> Range<Int> {
    guard access.dataOffset <= UInt64(page.count), access.byteCount <= page.count - Int(access.dataOffset) else {
      return 0..<0
    }
    return Int(access.dataOffset)..<(Int(access.dataOffset) + access.byteCount)
  }

  /// KVM's own statistics of this vCPU; nil if this KVM has none.
  public func statistics() throws(KVMError) -> Statistics? { try Statistics(of: descriptor) }
}
