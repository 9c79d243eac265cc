// The checksum of snapshots and transfers: CRC-32C (Castagnoli), as in iSCSI and ext4. It detects accidents, not
// malice.
// Facts: RFC 3720, appendix B.4 (the polynomial, test vectors).

/// A CRC-32C in progress.
struct CRC32C {
  private var register: UInt32 = .max

  private static let table: [UInt32] = (0..<256 as Range<UInt32>).map { byte in
    (0..<8).reduce(byte) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
  }

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { register = Self.table[Int((register ^ UInt32(byte)) & 0xff)] ^ register >> 8 }
  }

  var value: UInt32 { ~register }

  /// The checksum of these bytes.
  static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var sum = CRC32C()
    sum.add(bytes)
    return sum.value
  }
}
