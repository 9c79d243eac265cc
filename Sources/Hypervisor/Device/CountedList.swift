// KVM's lists: a head that begins with a count, then the elements (kvm_msrs, kvm_cpuid2, kvm_msr_list).
// C writes them with a flexible array member, of which Swift imports only the head.
// Facts: KVM API document, sections 4.3 (kvm_msr_list), 4.18 (kvm_msrs), 4.46 (kvm_cpuid2).

import CKVM

/// Owns the memory of one counted list: `Head`, whose first 32 bits are the count, then `capacity` elements.
///
/// Invariant: `base` points to `MemoryLayout<Head>.size + capacity * stride` initialised bytes, aligned to 8.
@safe struct CountedList<Head: BitwiseCopyable, Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
  // @unchecked Sendable: the memory has one owner, and plain bytes in it.
  private let base: UnsafeMutableRawPointer
  /// How many elements there is room for.
  let capacity: Int

  init(capacity: Int) {
    precondition(capacity >= 0 && capacity <= 1 << 20)
    self.capacity = capacity
    let size = MemoryLayout<Head>.size + capacity * MemoryLayout<Element>.stride
    // Safe: the memory is initialised here, before anything else can see it.
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    count = capacity
  }

  // Safe: allocated in init, freed once.
  deinit { unsafe base.deallocate() }

  /// The count in the head, as this side or the kernel wrote it; never more than the capacity.
  var count: Int {
    // Safe: the head's first four bytes, by the invariant.
    get { min(capacity, Int(unsafe base.load(as: UInt32.self))) }
    set { unsafe base.storeBytes(of: UInt32(min(capacity, newValue)), as: UInt32.self) }
  }

  subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < capacity)
      // Safe: within the elements, by the check and the invariant.
      return unsafe base.loadUnaligned(fromByteOffset: offset(index), as: Element.self)
    }
    set {
      precondition(index >= 0 && index < capacity)
      // Safe: within the elements, by the check and the invariant.
      unsafe base.storeBytes(of: newValue, toByteOffset: offset(index), as: Element.self)
    }
  }

  private func offset(_ index: Int) -> Int { MemoryLayout<Head>.size + index * MemoryLayout<Element>.stride }

  /// Makes a request with this list as its argument.
  ///
  /// - Throws: `KVMError` with the kernel's error number.
  @discardableResult
  mutating func request(_ request: Request, of descriptor: borrowing Descriptor) throws(KVMError) -> CInt {
    // The kernel reads and writes at most the number of elements that the head's count tells it, which is within
    // capacity.
    try descriptor.request(request, unsafe UInt(bitPattern: base))
  }
}

typealias MSRIndexList = CountedList<UInt32, UInt32>
typealias MSREntryList = CountedList<UInt64, kvm_msr_entry>
typealias CPUIDEntryList = CountedList<UInt64, kvm_cpuid_entry2>
