// Guest-physical memory: which addresses there are, and bounds-checked access from the VMM's side.
// Facts: KVM API document, section 4.35 (KVM_SET_USER_MEMORY_REGION).

import CKVM
import SystemPackage

/// An address in the guest's physical address space.
public struct GuestPhysicalAddress: RawRepresentable, Hashable, Comparable, Codable, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The address with this number.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

extension GuestPhysicalAddress: ExpressibleByIntegerLiteral, CustomStringConvertible {
  public init(integerLiteral value: UInt64) { rawValue = value }
  public var description: String { rawValue.hex }
}

/// A range of guest-physical memory: `count` bytes from `start` on.
public struct GuestPhysicalRange: Codable, Equatable, Sendable {
  public let start: GuestPhysicalAddress
  /// The length in bytes.
  public let count: Int

  /// The range of `count` bytes from `start` on.
  public init(start: GuestPhysicalAddress, count: Int) {
    self.start = start
    self.count = count
  }

  /// The offset of `length` bytes at `address` within this range; nil if they do not lie within it completely.
  func offset(of address: GuestPhysicalAddress, length: Int) -> Int? {
    guard address >= start, length >= 0 else { return nil }
    let offset = address.rawValue - start.rawValue
    guard offset <= UInt64(count), UInt64(length) <= UInt64(count) - offset else { return nil }
    return Int(offset)
  }

  /// Whether the range can hold memory: one or more whole pages within the 52 bits of a physical address.
  public var isWholePages: Bool {
    let (page, limit) = (UInt64(GuestPage.size), 1 << 52 as UInt64)
    return count > 0 && count.isMultiple(of: GuestPage.size) && start.rawValue.isMultiple(of: page)
      && start.rawValue < limit && UInt64(count) <= limit - start.rawValue
  }

  /// Whether two ranges of whole pages share an address.
  public func overlaps(_ other: GuestPhysicalRange) -> Bool {
    start.rawValue < other.start.rawValue &+ UInt64(other.count)
      && other.start.rawValue < start.rawValue &+ UInt64(count)
  }
}

extension GuestPhysicalRange: CustomStringConvertible {
  public var description: String { "\(count) bytes at guest-physical address \(start)" }
}

/// An invalid use of guest memory.
public enum GuestMemoryError: Error, Equatable, CustomStringConvertible {
  /// No single slot holds the whole range.
  case notMapped(GuestPhysicalRange)
  /// The new slot overlaps an existing one.
  case overlaps(GuestPhysicalRange, existing: GuestPhysicalRange)
  /// Not a whole number of 4096-byte pages, or beyond the 52 bits of a physical address.
  case misplaced(GuestPhysicalRange)
  /// All of this VM's slots are taken.
  case noFreeSlot(limit: Int)
  /// KVM refused the slot, or the host has no memory for it.
  case refused(KVMError)

  public var description: String {
    switch self {
    case .notMapped(let range): "the guest has no memory of \(range)"
    case .overlaps(let range, let existing): "a memory slot of \(range) overlaps one of \(existing)"
    case .misplaced(let range):
      "a memory slot of \(range): start and length must be whole pages of 4096 bytes, below the 52-bit limit"
    case .noFreeSlot(let limit): "all \(limit) memory slots of the VM are taken"
    case .refused(let error): "\(error)"
    }
  }
}

/// One memory slot: a range of guest-physical addresses and the mapping behind it.
struct MemorySlot: ~Copyable, Sendable {
  /// Owns the mapping; `keepMapped` leaks it.
  private final class Holder: @unchecked Sendable {
    // @unchecked Sendable: only the slot uses it, and the slot has one owner.
    var mapping: Mapping
    init(_ mapping: consuming Mapping) { self.mapping = mapping }
  }

  let range: GuestPhysicalRange
  private let holder: Holder

  init(range: GuestPhysicalRange, mapping: consuming Mapping) {
    precondition(range.count == mapping.count)
    self.range = range
    holder = Holder(mapping)
  }

  /// The slot in KVM's form, without its number.
  ///
  /// The address in it stays valid as long as `VirtualMachine`'s invariant says.
  func region(flags: UInt32) -> kvm_userspace_memory_region {
    kvm_userspace_memory_region(
      slot: 0, flags: flags, guest_phys_addr: range.start.rawValue, memory_size: UInt64(range.count),
      userspace_addr: unsafe UInt64(UInt(bitPattern: holder.mapping.base)))
  }

  /// The same memory in a mapping of its own.
  func duplicate() throws(KVMError) -> MemorySlot {
    MemorySlot(range: range, mapping: try holder.mapping.duplicate())
  }

  /// Keeps the memory mapped until the process ends.
  func keepMapped() {
    // Safe: one reference more, never released.
    unsafe _ = Unmanaged.passRetained(holder)
  }

  /// The bytes at an address; nil if the slot does not hold the whole range.
  func read(_ count: Int, at address: GuestPhysicalAddress) -> [UInt8]? {
    guard let offset = range.offset(of: address, length: count) else { return nil }
    return holder.mapping.copy(offset..<offset + count)
  }

  /// Reads up to `count` bytes of a file to an address, and returns how many; returns nil, reading nothing, if the slot
  /// does not hold the whole range.
  mutating func read(
    _ count: Int, of file: FileDescriptor, from start: Int64, at address: GuestPhysicalAddress
  ) throws(GuestFileError) -> Int? {
    guard let offset = range.offset(of: address, length: count) else { return nil }
    return try holder.mapping.read(count, of: file, from: start, at: offset)
  }

  /// Writes bytes at an address; returns false, writing nothing, if the slot does not hold the whole range.
  mutating func write(_ bytes: [UInt8], at address: GuestPhysicalAddress) -> Bool {
    guard let offset = range.offset(of: address, length: bytes.count) else { return false }
    holder.mapping.store(bytes, at: offset)
    return true
  }
}
