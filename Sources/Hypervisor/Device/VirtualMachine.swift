// A VM: its memory slots, its MSR filter, its vCPUs.
// Facts: KVM API document, sections 4.7 (KVM_CREATE_VCPU), 4.35 (KVM_SET_USER_MEMORY_REGION), 7.21 (user-space MSRs).

import CKVM
import Synchronization
import SystemPackage

/// A virtual machine.
///
/// Invariant: no guest can reach memory that the VMM has unmapped. When a vCPU or a view outlives this value, the slots
/// are removed from the VM before their mappings go; if KVM does not remove a slot, its mapping stays until the process
/// ends. Otherwise nothing runs, and the slots go with the VM: their removal would wait milliseconds for KVM.
public struct VirtualMachine: ~Copyable, Sendable {
  /// How many memory slots a VM can have.
  public static let maximumMemorySlots = 32

  let descriptor: Descriptor
  private let vcpuMapSize: Int
  var slots: [32 of MemorySlot?] = .init { _ in nil }
  let users = VMUserCount()

  init(descriptor: consuming Descriptor, vcpuMapSize: Int) {
    self.descriptor = descriptor
    self.vcpuMapSize = vcpuMapSize
  }

  deinit {
    if users.isZero { return }
    for index in slots.indices where slots[index] != nil {
      var region = kvm_userspace_memory_region()
      region.slot = UInt32(index)
      do { try descriptor.request(.setUserMemoryRegion, &region) } catch {
        // KVM needs memory to remove a slot, and may have none. The guest could still reach these addresses, so they
        // are never reused.
        slots[index]!.keepMapped()
        Self.kept.withLock { $0.append(KeptMemory(range: slots[index]!.range, error: error)) }
      }
    }
  }

  /// Memory that stays mapped until the process ends, because KVM did not remove its slot.
  public struct KeptMemory: Sendable {
    public let range: GuestPhysicalRange
    /// Why KVM did not remove it.
    public let error: KVMError
  }

  private static let kept = Mutex<[KeptMemory]>([])

  /// The memory that VMs of this process have left mapped so far.
  public static var keptMemory: [KeptMemory] { kept.withLock { $0 } }

  // MARK: Memory

  /// Gives the guest `count` bytes of zeroed memory at guest-physical address `start`, in a slot of their own.
  ///
  /// - Throws: `GuestMemoryError` when the range is not whole pages, overlaps another slot, or no slot or memory is
  ///   left.
  public mutating func addMemory(at start: GuestPhysicalAddress, count: Int) throws(GuestMemoryError) {
    let range = GuestPhysicalRange(start: start, count: count)
    guard range.isWholePages else { throw .misplaced(range) }
    var free: Int?
    for index in slots.indices {
      if let existing = slots[index]?.range {
        if existing.overlaps(range) { throw .overlaps(range, existing: existing) }
      } else if free == nil {
        free = index
      }
    }
    guard let index = free else { throw .noFreeSlot(limit: Self.maximumMemorySlots) }
    do throws(KVMError) {
      let mapping = try Mapping(count: count)
      slots[index] = MemorySlot(range: range, mapping: mapping)
      do { try setRegion(index, flags: 0) } catch {
        slots[index] = nil
        throw error
      }
    } catch { throw .refused(error) }
  }

  /// Sets a slot and its flags in KVM.
  func setRegion(_ index: Int, flags: UInt32) throws(KVMError) {
    guard let region = slots[index]?.region(flags: flags) else { return }
    var numbered = region
    numbered.slot = UInt32(index)
    try descriptor.request(.setUserMemoryRegion, &numbered)
  }

  /// The guest's memory, a range for each slot.
  public func memory() -> [GuestPhysicalRange] {
    var ranges: [GuestPhysicalRange] = []
    for index in slots.indices where slots[index] != nil { ranges.append(slots[index]!.range) }
    return ranges
  }

  /// Writes bytes into guest memory.
  ///
  /// - Throws: `GuestMemoryError.notMapped`, having written nothing, when no single slot holds the whole range.
  public mutating func write(_ bytes: [UInt8], at address: GuestPhysicalAddress) throws(GuestMemoryError) {
    for index in slots.indices where slots[index]?.write(bytes, at: address) == true { return }
    throw .notMapped(GuestPhysicalRange(start: address, count: bytes.count))
  }

  /// Reads `count` bytes of guest memory.
  ///
  /// - Throws: `GuestMemoryError.notMapped` when no single slot holds the whole range.
  public func read(_ count: Int, at address: GuestPhysicalAddress) throws(GuestMemoryError) -> [UInt8] {
    for index in slots.indices {
      if let bytes = slots[index]?.read(count, at: address) { return bytes }
    }
    throw .notMapped(GuestPhysicalRange(start: address, count: count))
  }

  // MARK: MSRs

  /// Makes MSR accesses exit to the VMM for these reasons, instead of a #GP in the guest.
  ///
  /// - Throws: `KVMError` when KVM lacks KVM_CAP_X86_USER_SPACE_MSR or does not know a reason.
  public func enableMSRExits(_ reasons: MSRExitReasons) throws(KVMError) {
    var capability = kvm_enable_cap()
    capability.cap = UInt32(KVM_CAP_X86_USER_SPACE_MSR)
    capability.args.0 = UInt64(reasons.rawValue)
    try descriptor.request(.enableCapability, &capability)
  }

  /// Sets which MSR accesses KVM denies; may be changed while the guest runs.
  ///
  /// - Throws: `MSRFilterError` when the filter breaks KVM's limits or KVM refuses it.
  public func setMSRFilter(_ filter: MSRFilter) throws(MSRFilterError) { try filter.apply(to: descriptor) }

  // MARK: vCPUs

  /// Makes a vCPU with this APIC ID.
  ///
  /// - Throws: `KVMError` when KVM refuses: the ID is taken, or too large.
  public func makeVCPU(id: Int = 0) throws(KVMError) -> VirtualCPU {
    let cpu = Descriptor(owning: try descriptor.request(.createVCPU, UInt(bitPattern: id)))
    let page = try Mapping(count: vcpuMapSize, of: cpu)
    return VirtualCPU(descriptor: cpu, page: page, membership: users.join())
  }

  /// KVM's own statistics of this VM; nil if this KVM has none.
  public func statistics() throws(KVMError) -> Statistics? { try Statistics(of: descriptor) }
}

/// How many vCPUs and memory views of a VM there are.
final class VMUserCount: Sendable {
  private let count = Atomic(0)

  /// One vCPU or view, counted as long as the value lives.
  final class Membership: Sendable {
    private let users: VMUserCount

    fileprivate init(_ users: VMUserCount) {
      self.users = users
      users.count.add(1, ordering: .relaxed)
    }

    // Releasing: whoever sees the count without this vCPU sees it after its last run.
    deinit { users.count.subtract(1, ordering: .releasing) }
  }

  func join() -> Membership { Membership(self) }

  var isZero: Bool { count.load(ordering: .acquiring) == 0 }
}

extension VirtualMachine.KeptMemory {
  /// A warning about such memory, in one sentence; nil if there is none.
  public static func warning(of all: [VirtualMachine.KeptMemory]) -> String? {
    guard let first = all.first else { return nil }
    let count = all.reduce(0) { $0 + $1.range.count }
    return "\(count) bytes of guest memory stay mapped until this process ends, because KVM did not release them: "
      + "\(first.error)"
  }
}
