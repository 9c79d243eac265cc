// The last lines that a guest wrote to its serial port, for a message about how it ended.

/// The end of a text of any length.
public struct SerialTail: Sendable {
  private var bytes: [UInt8] = []
  private let limit: Int

  /// Keeps at least the last `limit` bytes.
  public init(limit: Int = 8192) { self.limit = limit }

  /// Adds bytes.
  public mutating func append(_ more: [UInt8]) {
    bytes += more
    if bytes.count >= 2 * limit { bytes.removeFirst(bytes.count - limit) }
  }

  /// The last `count` lines that are not empty, without line ends.
  public func lines(_ count: Int) -> [String] {
    var (lines, start): ([Range<Int>], Int) = ([], 0)
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
      if index > start { lines.append(start..<index) }
      start = index + 1
    }
    if start < bytes.count { lines.append(start..<bytes.count) }
    return lines.suffix(count).map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  /// At most `count` lines, beginning with the last line that contains a text.
  public func lines(_ count: Int, from text: String) -> [String] {
    let all = lines(.max)
    return Array(all[(all.lastIndex { $0.contains(text) } ?? 0)...].prefix(count))
  }

  /// Whether it contains a text.
  public func contains(_ text: String) -> Bool {
    let wanted = Array(text.utf8)
    guard bytes.count >= wanted.count else { return false }
    return (0...(bytes.count - wanted.count)).contains { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
  }
}
