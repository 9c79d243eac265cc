// A page of guest memory as a value.

/// One page of guest memory.
public struct GuestPage: Equatable, Sendable {
  /// The length of a page in bytes.
  public static let size = 4096

  /// The address of its first byte: a multiple of `size`.
  public let address: GuestPhysicalAddress
  /// `size` bytes.
  public let bytes: [UInt8]

  /// A page; nil if the address is not a multiple of `size` or there are not `size` bytes.
  public init?(address: GuestPhysicalAddress, bytes: [UInt8]) {
    guard address.rawValue.isMultiple(of: UInt64(Self.size)), bytes.count == Self.size else { return nil }
    self.address = address
    self.bytes = bytes
  }

  /// Whether every byte is 0.
  public var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
}

extension GuestPhysicalRange {
  /// The addresses of its pages, in ascending order.
  public var pageAddresses: [GuestPhysicalAddress] {
    stride(from: 0, to: count, by: GuestPage.size).map { GuestPhysicalAddress(start.rawValue + UInt64($0)) }
  }
}

extension VirtualMachine {
  /// The pages that are not all zeroes, in ascending order of their addresses.
  ///
  /// - Throws: `GuestMemoryError` when memory is missing.
  public func pages() throws(GuestMemoryError) -> [GuestPage] {
    var pages: [GuestPage] = []
    for address in memory().flatMap(\.pageAddresses).sorted() {
      let bytes = try read(GuestPage.size, at: address)
      if let page = GuestPage(address: address, bytes: bytes), !page.isZero { pages.append(page) }
    }
    return pages
  }

  /// Writes a page at its address.
  ///
  /// - Throws: `GuestMemoryError.notMapped` when the guest has no memory there.
  public mutating func write(_ page: GuestPage) throws(GuestMemoryError) { try write(page.bytes, at: page.address) }
}
