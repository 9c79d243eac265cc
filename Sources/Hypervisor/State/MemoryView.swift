// A second view of a VM's memory, for a thread that copies it while the guest runs: the same pages at other addresses,
// and KVM's log of those that the guest has written.
// Facts: KVM API document, sections 4.8 (KVM_GET_DIRTY_LOG) and 4.35 (KVM_MEM_LOG_DIRTY_PAGES); mremap(2) (an old size
// of 0).

import CKVM
import SystemPackage

/// The memory of a VM as another thread sees it.
///
/// Invariant: it has its own descriptor and mappings, so it may outlive the VM; then it shows the last contents.
public struct MemoryView: ~Copyable, Sendable {
  private let descriptor: Descriptor
  private var slots: [32 of MemorySlot?]
  private let membership: VMUserCount.Membership

  init(
    descriptor: consuming Descriptor, slots: consuming [32 of MemorySlot?], membership: VMUserCount.Membership
  ) {
    self.descriptor = descriptor
    self.membership = membership
    self.slots = slots
  }

  /// The pages that the guest has written since the last call, in ascending order of their addresses within each slot.
  ///
  /// Pages that the VMM itself writes are not among them.
  ///
  /// - Throws: `KVMError` when KVM refuses: the log is off (`setDirtyLog`), or the VM is gone.
  public mutating func takeDirtyPages() throws(KVMError) -> [GuestPhysicalAddress] {
    var addresses: [GuestPhysicalAddress] = []
    for index in slots.indices {
      guard let range = slots[index]?.range else { continue }
      let count = range.count / GuestPage.size
      var bitmap = [UInt64](repeating: 0, count: (count + 63) / 64)
      // Safe: the kernel writes one bit for each page of the slot, rounded up to 64, which is the array's length; both
      // it and the structure are held for the length of the call.
      try unsafe bitmap.withUnsafeMutableBufferPointer { buffer throws(KVMError) in
        var log = unsafe kvm_dirty_log()
        unsafe log.slot = UInt32(index)
        unsafe log.dirty_bitmap = UnsafeMutableRawPointer(buffer.baseAddress)
        try unsafe withUnsafeMutablePointer(to: &log) { pointer throws(KVMError) in
          _ = try descriptor.request(.getDirtyLog, UInt(bitPattern: pointer))
        }
      }
      for page in 0..<count where bitmap[page / 64] >> UInt64(page % 64) & 1 == 1 {
        addresses.append(GuestPhysicalAddress(range.start.rawValue + UInt64(page * GuestPage.size)))
      }
    }
    return addresses
  }

  /// The page at an address; nil if there is no memory.
  ///
  /// The guest may write it while it is copied.
  public func page(at address: GuestPhysicalAddress) -> GuestPage? {
    for index in slots.indices {
      if let bytes = slots[index]?.read(GuestPage.size, at: address) {
        return GuestPage(address: address, bytes: bytes)
      }
    }
    return nil
  }
}

extension VirtualMachine {
  /// A view of the VM's present memory, for another thread.
  ///
  /// - Throws: `KVMError` when the system has no room for it.
  public func makeMemoryView() throws(KVMError) -> MemoryView {
    var views: [32 of MemorySlot?] = .init { _ in nil }
    for index in slots.indices where slots[index] != nil { views[index] = try slots[index]!.duplicate() }
    return MemoryView(descriptor: try descriptor.duplicate(), slots: views, membership: users.join())
  }

  /// Turns KVM's log of the pages that the guest writes on or off; not while a vCPU runs.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public mutating func setDirtyLog(_ isOn: Bool) throws(KVMError) {
    for index in slots.indices where slots[index] != nil {
      try setRegion(index, flags: isOn ? UInt32(KVM_MEM_LOG_DIRTY_PAGES) : 0)
    }
  }
}
