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
    // The upper levels allow everything; the page table decides.
    let table = present | writable | user | accessed
    var words = [UInt64](repeating: 0, count: 4 * 512)
    words[0] = Layout.pageDirectoryPointers | table
    words[512] = Layout.pageDirectory | table
    words[2 * 512] = Layout.pageTable | table
    for page in 0..<Layout.memorySize / Layout.pageSize + (mappingDevice ? 1 : 0) {
      let address = UInt64(page * Layout.pageSize)
      words[3 * 512 + page] =
        address | present | writable | accessed | dirty | (Layout.isUser(address) ? user : 0)
    }
    return MemoryImage(address: Layout.pml4, words: words)
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
