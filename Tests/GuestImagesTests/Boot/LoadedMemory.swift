// Guest memory as it stands when an image is loaded, read the way the processor reads it.
// Facts: Intel SDM vol. 3A, 3.4.5 and 7.2.3 (segment and system descriptors), 6.14.1 (64-bit gates), 4.5 (paging).

@testable import GuestImages

/// A guest's memory with these contents, zero elsewhere.
struct LoadedMemory {
  private(set) var bytes = [UInt8](repeating: 0, count: Layout.memorySize)

  /// Loads the images in their order; nil when one lies beyond the end of memory.
  init?(_ contents: [MemoryImage]) {
    for image in contents {
      let start = Int(image.address)
      guard start + image.bytes.count <= bytes.count else { return nil }
      bytes.replaceSubrange(start..<start + image.bytes.count, with: image.bytes)
    }
  }

  /// The little-endian word of this type at an address.
  func word<T: FixedWidthInteger>(_ type: T.Type = UInt64.self, at address: UInt64) -> T {
    (0..<MemoryLayout<T>.size).reversed().reduce(0) { $0 << 8 | T(truncatingIfNeeded: bytes[Int(address) + $1]) }
  }
}

extension FixedWidthInteger {
  /// The bits of a field, moved down to bit 0.
  subscript(bits: ClosedRange<Int>) -> Self { self >> Self(bits.lowerBound) & ((1 << Self(bits.count)) - 1) }
  /// Whether a bit is set.
  subscript(bit: Int) -> Bool { self >> Self(bit) & 1 == 1 }
}

/// A segment or system descriptor, field by field.
struct SegmentDescriptor: Equatable {
  var base: UInt64
  var limit: UInt64
  var type: UInt64
  /// S: a code or data segment, no system segment.
  var isCodeOrData: Bool
  var privilege: UInt64
  var isPresent: Bool
  var isLong: Bool
  var isDefault32: Bool
  var isLimitInPages: Bool

  /// Decodes the word; a system descriptor takes the upper half of its base from the next one.
  init(_ word: UInt64, next: UInt64) {
    base = word[16...39] | word[56...63] << 24
    limit = word[0...15] | word[48...51] << 16
    type = word[40...43]
    isCodeOrData = word[44]
    privilege = word[45...46]
    isPresent = word[47]
    isLong = word[53]
    isDefault32 = word[54]
    isLimitInPages = word[55]
    if !isCodeOrData { base |= next << 32 }
  }

  /// A flat segment over 4 GiB.
  static func flat(type: UInt64, privilege: UInt64, isLong: Bool) -> SegmentDescriptor {
    var descriptor = SegmentDescriptor(0x00cf_9000_0000_ffff, next: 0)
    (descriptor.type, descriptor.privilege) = (type, privilege)
    (descriptor.isLong, descriptor.isDefault32) = (isLong, !isLong)
    return descriptor
  }
}

/// A gate of a 64-bit interrupt descriptor table, field by field.
struct InterruptGate: Equatable {
  var offset: UInt64
  var selector: UInt64
  var stackTable: UInt64
  var type: UInt64
  var privilege: UInt64
  var isPresent: Bool

  init(_ low: UInt64, _ high: UInt64) {
    offset = low[0...15] | low[48...63] << 16 | high[0...31] << 32
    selector = low[16...31]
    stackTable = low[32...34]
    type = low[40...43]
    privilege = low[45...46]
    isPresent = low[47]
  }

  /// A present interrupt gate to 64-bit kernel code that ring 3 may use, without a stack of its own.
  init(to offset: UInt64) {
    self.init(0, 0)
    self.offset = offset
    (selector, type, privilege, isPresent) = (UInt64(Selector.kernelCode), 0xe, 3, true)
  }
}

extension LoadedMemory {
  /// The descriptor that a selector names.
  func descriptor(_ selector: UInt16) -> SegmentDescriptor {
    let address = StartState.gdt.base + UInt64(selector & ~7)
    return SegmentDescriptor(word(at: address), next: word(at: address + 8))
  }

  /// The gate of a vector.
  func gate(_ vector: Int) -> InterruptGate {
    let address = StartState.idt.base + UInt64(vector * 16)
    return InterruptGate(word(at: address), word(at: address + 8))
  }

  /// Where a linear address is mapped and what may be done there.
  struct Translation: Equatable {
    var physical: UInt64
    var isUser: Bool
    var isWritable: Bool
    var isExecutable: Bool
  }

  /// Walks four levels of page tables from CR3; nil when the address is not mapped.
  func translate(_ linear: UInt64, by cr3: UInt64 = StartState.cr3) -> Translation? {
    var table = cr3
    var result = Translation(physical: 0, isUser: true, isWritable: true, isExecutable: true)
    for shift in [39, 30, 21, 12] {
      let entry = word(at: table + linear[shift...(shift + 8)] * 8)
      // Present; bit 7 would be a large page in the upper levels, which the layout has none of.
      guard entry[0], shift == 12 || !entry[7] else { return nil }
      result.isWritable = result.isWritable && entry[1]
      result.isUser = result.isUser && entry[2]
      result.isExecutable = result.isExecutable && !entry[63]
      table = entry[12...51] << 12
    }
    result.physical = table | linear[0...11]
    return result
  }
}
