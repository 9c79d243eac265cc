// The ports to which Spectrap's own first process writes its progress and its measurements.

/// What a guest wrote to ports that no PC has.
public struct Doorbell: Sendable {
  /// 32 bits: the number of a point that the guest has reached.
  public static let markPort: UInt16 = 0x5e0
  /// Any value: the guest is done.
  public static let endPort: UInt16 = 0x5e4
  /// Words of 32 bits: measurements.
  public static let dataPort: UInt16 = 0x5e8
  /// Bytes of text.
  public static let textPort: UInt16 = 0x5ec

  /// The most words and bytes that are kept; a guest may write any number of them.
  public static let limit = 1 << 16

  public private(set) var data: [UInt32] = []
  public private(set) var text: [UInt8] = []

  /// Nothing written yet.
  public init() {}

  /// Keeps a word of data.
  public mutating func append(_ word: UInt32) { if data.count < Self.limit { data.append(word) } }

  /// Forgets the words of data.
  public mutating func clearData() { data = [] }

  /// Keeps a byte of text.
  public mutating func append(text byte: UInt8) { if text.count < Self.limit { text.append(byte) } }
}
