// The guest's page tables: identity-mapped 4 KiB pages for all of its memory, each for user or supervisor mode.
// Facts: Intel SDM vol. 3A, 4.5 (4-level paging).

enum PageTables {
  private static let present: UInt64 = 1 << 0
  private static let writable: UInt64 = 1 << 1
  private static let user: UInt64 = 1 << 2
  private static let accessed: UInt64 = 1 << 5
  private static let dirty: UInt64 = 1 << 6

  /// The four tables, one after the other from `Layout.pml4` on.
  static var image: MemoryImage { image(mappingDevice: false) }

  /// The same, with or without the page at `Layout.device`.
  static func image(mappingDevice: Bool) -> MemoryImage {
    let pages = Layout.memorySize / Layout.pageSize + (mappingDevice ? 1 : 0)
    return tables(at: Layout.pml4) { $0 < UInt64(pages * Layout.pageSize) }
  }

  /// The tables of the entry `isolated` beside those of every guest: the kernel's first table, which maps all of memory
  /// by the others, and user mode's four, which map user mode's pages and of the kernel's what an entry needs: its
  /// code, the descriptor tables and the stack that exceptions arrive on.
  static func isolated(kernelText: Range<UInt64>) -> [MemoryImage] {
    let descriptors = Layout.gdt..<Layout.kernelStackTop
    return [
      MemoryImage(address: Layout.isolatedPML4, words: [Layout.pageDirectoryPointers | table]),
      tables(at: Layout.userPML4) { page in
        Layout.isUser(page) || descriptors.contains(page)
          || kernelText.overlaps(page..<page + UInt64(Layout.pageSize))
      },
    ]
  }

  /// What an entry of an upper level has: those allow everything, and the page table decides.
  private static let table = present | writable | user | accessed

  /// Four tables, one after the other, that map the pages of the first 2 MiB that are asked for.
  private static func tables(at address: UInt64, mapping isMapped: (UInt64) -> Bool) -> MemoryImage {
    let size = UInt64(Layout.pageSize)
    var words = [UInt64](repeating: 0, count: 4 * 512)
    for level in 0..<3 { words[level * 512] = address + UInt64(level + 1) * size | table }
    for page in 0..<512 {
      let address = UInt64(page) * size
      guard isMapped(address) else { continue }
      words[3 * 512 + page] = address | present | writable | accessed | dirty | (Layout.isUser(address) ? user : 0)
    }
    return MemoryImage(address: address, words: words)
  }
}

/// Bytes at an address of guest memory before the guest starts.
public struct MemoryImage: Equatable, Sendable {
  /// The guest-physical address of the first byte.
  public let address: UInt64
  public let bytes: [UInt8]

  /// These bytes at this address.
  public init(address: UInt64, bytes: [UInt8]) {
    self.address = address
    self.bytes = bytes
  }

  init(address: UInt64, words: [UInt64]) {
    // Without an array for each word, because every run makes page tables.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count * 8)
    for word in words {
      for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    self.init(address: address, bytes: bytes)
  }
}
