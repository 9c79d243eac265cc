// Checksums over changed bytes, so that a mutation is not refused for its checksum alone.
// Facts: RFC 3720, appendix B.4 (CRC-32C).

private let table: [UInt32] = (0..<256).map { byte in
  (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
}

extension Collection<UInt8> {
  /// CRC-32C.
  public var checksum: UInt32 { ~reduce(UInt32.max) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 0xff)] } }
}

extension FixedWidthInteger {
  /// The number as bytes, the lowest first.
  public var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
  }
}

extension RandomAccessCollection<UInt8> where Index == Int {
  /// The number of so many bytes at an index, the lowest first.
  public func number(at index: Int, bytes: Int) -> UInt64 {
    (0..<bytes).reduce(0) { $0 | UInt64(self[index + $1]) << UInt64($1 * 8) }
  }
}
