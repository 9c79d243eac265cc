// A shared mapping: guest memory, or the kvm_run of a vCPU.
// Facts: mmap(2); KVM API document, section 5 (kvm_run).

import CHost
import CKVM
import Glibc
import SystemPackage

/// Owns one mapping, and unmaps it when the owner goes.
///
/// Invariant: `base` points to `count` readable and writable bytes as long as the value lives. The kernel, and for
/// guest memory a running guest, write them at any time: they are hostile input.
@safe public struct Mapping: ~Copyable, @unchecked Sendable {
  // @unchecked Sendable: the mapping belongs to one owner at a time, and the address is the same in every thread.
  @usableFromInline let base: UnsafeMutableRawPointer
  /// The length in bytes.
  public let count: Int

  /// Maps `count` bytes of zeroes, which take memory only once they are touched.
  ///
  /// - Throws: `KVMError` when the kernel has no room.
  public init(count: Int) throws(KVMError) {
    try self.init(count: count, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, descriptor: -1)
  }

  init(count: Int, of descriptor: borrowing Descriptor) throws(KVMError) {
    try self.init(count: count, flags: MAP_SHARED, descriptor: descriptor.raw)
  }

  private init(count: Int, flags: CInt, descriptor: CInt) throws(KVMError) {
    guard count > 0 else { throw KVMError(.map(bytes: count), .invalidArgument) }
    // Safe: a new mapping at an address of the kernel's choice overlaps nothing.
    guard let base = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, flags, descriptor, 0), unsafe base != MAP_FAILED
    else { throw KVMError(.map(bytes: count), Errno(rawValue: errno)) }
    unsafe self.base = base
    self.count = count
  }

  /// A second mapping of the same bytes.
  ///
  /// - Throws: `KVMError` when the kernel has no room.
  func duplicate() throws(KVMError) -> Mapping {
    // Safe: the mapping stays as it is, and its pages are mapped at another address of the kernel's choice, which
    // overlaps nothing.
    let result = unsafe chost_map_again(base, UInt(count))
    guard result > 0, let copy = unsafe UnsafeMutableRawPointer(bitPattern: result) else {
      throw KVMError(.map(bytes: count), Errno(rawValue: CInt(-result)))
    }
    return unsafe Mapping(base: copy, count: count)
  }

  private init(base: UnsafeMutableRawPointer, count: Int) {
    unsafe self.base = base
    self.count = count
  }

  // Safe: every span of these bytes depends on the lifetime of the owner, which ends here.
  deinit { unsafe _ = munmap(base, count) }

  /// The bytes, bounds-checked at every access.
  public var bytes: RawSpan {
    @_lifetime(borrow self) get {
      unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: count), borrowing: self)
    }
  }

  /// The bytes, to change them, bounds-checked at every access.
  public var mutableBytes: MutableRawSpan {
    @_lifetime(&self) mutating get {
      unsafe _overrideLifetime(MutableRawSpan(_unsafeStart: base, byteCount: count), mutating: &self)
    }
  }

  /// A copy of a part of the bytes.
  func copy(_ range: Range<Int>) -> [UInt8] {
    // Safe: the span is copied at once, whatever the guest writes meanwhile.
    unsafe bytes.extracting(range).withUnsafeBytes { unsafe Array($0) }
  }

  /// Writes bytes at an offset; all must fit.
  mutating func store(_ new: [UInt8], at offset: Int) {
    var memory = mutableBytes
    // Safe: the slice of the buffer, which checks its bounds, is as long as the bytes.
    unsafe memory.withUnsafeMutableBytes {
      unsafe UnsafeMutableRawBufferPointer(rebasing: $0[offset..<offset + new.count]).copyBytes(from: new)
    }
  }
}
