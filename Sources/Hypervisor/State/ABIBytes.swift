// A structure of KVM's ABI as plain bytes: how a vCPU's state is kept outside the kernel. In JSON it is hexadecimal
// text.

/// The bytes of one structure of KVM's ABI.
public struct ABIBytes: Hashable, Sendable {
  public let bytes: [UInt8]

  /// These bytes.
  public init(bytes: [UInt8]) { self.bytes = bytes }

  init<T: BitwiseCopyable>(of value: T) {
    // Safe: KVM's structures are plain numbers without padding that is never written: each begins as zeroes.
    bytes = unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
  }

  /// Copies the bytes over a structure; returns false, copying nothing, if the lengths differ.
  func copy<T: BitwiseCopyable>(to value: inout T) -> Bool {
    guard bytes.count == MemoryLayout<T>.size else { return false }
    // Safe: as many bytes as the structure has, and every bit pattern is one of plain numbers.
    unsafe withUnsafeMutableBytes(of: &value) { unsafe $0.copyBytes(from: bytes) }
    return true
  }
}

extension ABIBytes: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let digits = Array(try container.decode(String.self).utf8)
    func wrong(_ what: String) -> DecodingError { .dataCorruptedError(in: container, debugDescription: what) }
    guard digits.count.isMultiple(of: 2) else { throw wrong("an odd number of hexadecimal digits") }
    bytes = try stride(from: 0, to: digits.count, by: 2).map { index in
      guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else {
        throw wrong("a character that is no hexadecimal digit")
      }
      return high << 4 | low
    }
  }

  public func encode(to encoder: any Encoder) throws {
    let digits = Array("0123456789abcdef".utf8)
    let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    var container = encoder.singleValueContainer()
    try container.encode(String(decoding: text, as: UTF8.self))
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
