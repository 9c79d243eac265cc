// The ports by which Spectrap's own first process tells what it does and what it has measured.

/// What a guest tells by writing to ports that no PC has.
public struct Doorbell: Sendable {
  /// 32 bits: the guest passes a point that it is built to pass.
  public static let markPort: UInt16 = 0x5e0
  /// Any value: it is done.
  public static let endPort: UInt16 = 0x5e4
  /// Words of 32 bits: what it has measured.
  public static let dataPort: UInt16 = 0x5e8
  /// Bytes of text.
  public static let textPort: UInt16 = 0x5ec

  /// At most this much is kept of each: a guest may write for ever.
  public static let limit = 1 << 16

  public private(set) var data: [UInt32] = []
  public private(set) var text: [UInt8] = []

  /// Nothing told yet.
  public init() {}

  /// The guest writes a word of data.
  public mutating func tell(_ word: UInt32) { if data.count < Self.limit { data.append(word) } }

  /// Forgets the words of data.
  public mutating func takeBackData() { data = [] }

  /// The guest writes a byte of text.
  public mutating func tell(text byte: UInt8) { if text.count < Self.limit { text.append(byte) } }
}
