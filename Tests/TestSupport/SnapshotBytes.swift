// A snapshot's file put together by its description (docs/snapshots.md), and not by the code under test: so that tests
// can make any file, right checksums included.
// Facts: RFC 3720, appendix B.4 (CRC-32C).

import FoundationEssentials

/// The parts of a snapshot's file.
public struct SnapshotBytes: Sendable {
  public var magic = Array("SPECTRAP".utf8)
  public var version: UInt32 = 1
  /// The bytes from 12 and from 40 on that are zero.
  public var reserved: UInt32 = 0
  public var padding = [UInt8](repeating: 0, count: 20)
  /// What the header says of the lengths; nil for the truth.
  public var stateLength: UInt64?
  public var pageCount: UInt64?
  public var state: [UInt8]
  /// The page records, one after the other.
  public var records: [UInt8]

  public static let headerSize = 64
  public static let recordSize = 8 + 4096

  /// A file of this state and these page records.
  public init(state: [UInt8], records: [UInt8] = []) {
    self.state = state
    self.records = records
  }

  /// The parts of a whole file.
  public init(parsing file: [UInt8]) {
    let length = (0..<8).reduce(0) { $0 | Int(file[16 + $1]) << ($1 * 8) }
    state = Array(file[Self.headerSize..<Self.headerSize + length])
    records = Array(file[(Self.headerSize + length)...])
  }

  /// The state as JSON.
  public var json: JSONValue {
    get throws { try JSONValue(parsing: String(decoding: state, as: UTF8.self)) }
  }

  /// The same with something changed in its state.
  public func changing(_ path: String, to value: JSONValue?) throws -> SnapshotBytes {
    var copy = self
    try copy.setState(try json.replacing(path, with: value))
    return copy
  }

  /// Replaces the state.
  public mutating func setState(_ value: JSONValue) throws { state = try value.bytes }

  /// Adds a page record, whatever its length.
  public mutating func addPage(at address: UInt64, _ bytes: [UInt8] = [UInt8](repeating: 1, count: 4096)) {
    records += Self.little(address) + bytes
  }

  /// The header, its checksum right.
  public var header: [UInt8] {
    var bytes = magic + Self.little(version) + Self.little(reserved)
    bytes += Self.little(stateLength ?? UInt64(state.count))
    bytes += Self.little(pageCount ?? UInt64(records.count / Self.recordSize))
    bytes += Self.little(Self.checksum(state)) + Self.little(Self.checksum(records)) + padding
    return bytes + Self.little(Self.checksum(bytes))
  }

  /// The file, its checksums right.
  public var file: [UInt8] { header + state + records }

  /// A number in the byte order of the file.
  public static func little(_ number: some FixedWidthInteger) -> [UInt8] {
    (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
  }

  /// CRC-32C.
  public static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes { sum = sum >> 8 ^ table[Int((sum ^ UInt32(byte)) & 0xff)] }
    return ~sum
  }
}

extension JSONValue {
  /// The value as text, its keys in order.
  public var bytes: [UInt8] {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return Array(try encoder.encode(self))
    }
  }

  /// The same with another value at a path of keys and indices (`work.orders.0`); nil takes the key away.
  ///
  /// A path that leads nowhere adds a key to the object that it leads to.
  public func replacing(_ path: String, with value: JSONValue?) -> JSONValue {
    replacing(path.split(separator: ".").map(String.init)[...], with: value)
  }

  private func replacing(_ path: ArraySlice<String>, with value: JSONValue?) -> JSONValue {
    guard let key = path.first else { return value ?? .null }
    let rest = path.dropFirst()
    switch self {
    case .object(var members):
      members[key] = rest.isEmpty ? value : (members[key] ?? .null).replacing(rest, with: value)
      return .object(members)
    case .array(var elements):
      guard let index = Int(key), elements.indices.contains(index) else { return self }
      if rest.isEmpty, value == nil {
        elements.remove(at: index)
      } else {
        elements[index] = elements[index].replacing(rest, with: value)
      }
      return .array(elements)
    default: return self
    }
  }

  /// The paths of all values within, containers included.
  public var paths: [String] {
    let children: [(String, JSONValue)] =
      switch self {
      case .object(let members): members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      case .array(let elements): elements.enumerated().map { ("\($0.offset)", $0.element) }
      default: []
      }
    return children.flatMap { key, value in [key] + value.paths.map { "\(key).\($0)" } }
  }

  /// What stands at a path of keys and indices.
  public func value(at path: String) -> JSONValue? {
    path.split(separator: ".").reduce(self) { value, key in
      switch value {
      case .object(let members): members[String(key)]
      case .array(let elements): Int(key).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
      default: nil
      }
    }
  }
}
