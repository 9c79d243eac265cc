// Numbers in the byte order of files and sockets.

extension RangeReplaceableCollection<UInt8> {
  mutating func append(number: some FixedWidthInteger) {
    for index in 0..<number.bitWidth / 8 { append(UInt8(truncatingIfNeeded: number >> (index * 8))) }
  }
}

extension RandomAccessCollection<UInt8> {
  /// The little-endian number at this offset from the first byte.
  func number<T: FixedWidthInteger>(at offset: Int, as: T.Type) -> T {
    (0..<T.bitWidth / 8).reduce(0) { number, byte in
      number | T(truncatingIfNeeded: self[index(startIndex, offsetBy: offset + byte)]) << T(byte * 8)
    }
  }
}
