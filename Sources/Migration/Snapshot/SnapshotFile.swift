// A snapshot as a file: a header of 64 bytes, the state as JSON, the pages. All numbers are little-endian.
//
//   offset  bytes  header
//        0      8  the magic, "SPECTRAP"
//        8      4  the version of this format, 1
//       12      4  zero
//       16      8  the length of the state in bytes
//       24      8  the number of pages
//       32      4  CRC-32C of the state
//       36      4  CRC-32C of the pages
//       40     20  zeroes
//       60      4  CRC-32C of the header before this
//
//   then the state, then for each page its guest-physical address (8 bytes) and its 4096 bytes, in ascending order.
//
// A file is hostile input: each length is checked against a limit and the file's size before it is used.

import FoundationEssentials
import Hypervisor

/// The header of a snapshot's file.
public struct SnapshotHeader: Equatable, Sendable {
  /// The length of the header in bytes.
  public static let size = 64
  /// The version that this library reads and writes.
  public static let currentVersion: UInt32 = 1
  /// The longest state in bytes that is read.
  public static let maximumStateLength = 4 << 20
  /// The most pages that are read: 1 GiB of guest memory.
  public static let maximumPageCount = 1 << 18

  private static let magic = Array("SPECTRAP".utf8)
  private static let checkedLength = 60

  /// In bytes.
  public let stateLength: Int
  public let pageCount: Int
  let stateChecksum: UInt32
  let pagesChecksum: UInt32

  /// The length of the whole file in bytes.
  public var fileLength: Int { Self.size + stateLength + pageCount * PageRecord.size }

  init(state: [UInt8], pages: [UInt8]) {
    stateLength = state.count
    pageCount = pages.count / PageRecord.size
    stateChecksum = .init(CRC32C.of(state))
    pagesChecksum = .init(CRC32C.of(pages))
  }

  /// Reads a header from the first bytes of a file.
  ///
  /// - Throws: `SnapshotError` when they are not a header of this version.
  public init(_ bytes: [UInt8]) throws(SnapshotError) {
    guard bytes.starts(with: Self.magic) else { throw .foreign }
    guard bytes.count >= Self.size else { throw .truncated(expected: Self.size, found: bytes.count) }
    let version = bytes.number(at: 8, as: UInt32.self)
    guard version == Self.currentVersion else { throw .version(version) }
    guard CRC32C.of(bytes[..<Self.checkedLength]) == bytes.number(at: Self.checkedLength, as: UInt32.self) else {
      throw .damaged("header")
    }
    guard bytes.number(at: 12, as: UInt32.self) == 0, bytes[40..<Self.checkedLength].allSatisfy({ $0 == 0 }) else {
      throw .malformed("reserved bytes of its header are not zero")
    }
    let (length, count) = (bytes.number(at: 16, as: UInt64.self), bytes.number(at: 24, as: UInt64.self))
    guard length <= Self.maximumStateLength else { throw .tooLarge("a state of \(length) bytes") }
    guard count <= Self.maximumPageCount else { throw .tooLarge("\(count) pages of memory") }
    (stateLength, pageCount) = (Int(length), Int(count))
    stateChecksum = bytes.number(at: 32, as: UInt32.self)
    pagesChecksum = bytes.number(at: 36, as: UInt32.self)
  }

  var bytes: [UInt8] {
    var bytes = Self.magic
    bytes.append(number: Self.currentVersion)
    bytes.append(number: 0 as UInt32)
    bytes.append(number: UInt64(stateLength))
    bytes.append(number: UInt64(pageCount))
    bytes.append(number: stateChecksum)
    bytes.append(number: pagesChecksum)
    bytes += [UInt8](repeating: 0, count: Self.checkedLength - bytes.count)
    bytes.append(number: CRC32C.of(bytes))
    return bytes
  }
}

extension Snapshot {
  /// The snapshot as the bytes of a file.
  ///
  /// - Throws: What `JSONEncoder` throws for `Work`.
  public func encoded() throws -> [UInt8] {
    let state = try guest.encoded()
    var records: [UInt8] = []
    records.reserveCapacity(pages.count * PageRecord.size)
    for page in pages { PageRecord.append(page, to: &records) }
    return SnapshotHeader(state: state, pages: records).bytes + state + records
  }

  /// Reads the bytes of a file.
  ///
  /// - Throws: `SnapshotError` when they are not a whole snapshot of this version.
  public init(decoding bytes: [UInt8]) throws(SnapshotError) {
    let header = try SnapshotHeader(Array(bytes.prefix(SnapshotHeader.size)))
    guard bytes.count >= header.fileLength else {
      throw .truncated(expected: header.fileLength, found: bytes.count)
    }
    guard bytes.count == header.fileLength else { throw .damaged("length: bytes follow the last page") }
    let state = bytes[SnapshotHeader.size..<SnapshotHeader.size + header.stateLength]
    let records = bytes[(SnapshotHeader.size + header.stateLength)...]
    guard CRC32C.of(state) == header.stateChecksum else { throw .damaged("state") }
    guard CRC32C.of(records) == header.pagesChecksum else { throw .damaged("memory") }
    guest = try PortableGuest(decoding: Array(state))
    pages = []
    pages.reserveCapacity(header.pageCount)
    let memory = guest.machine.memory
    for index in 0..<header.pageCount {
      let start = records.startIndex + index * PageRecord.size
      let page = try PageRecord.page(in: Array(records[start..<start + PageRecord.size]), of: memory)
      guard pages.last.map({ $0.address < page.address }) ?? true else {
        throw .malformed("the pages of memory are not in ascending order")
      }
      pages.append(page)
    }
  }
}

extension PortableGuest {
  /// The state as JSON.
  ///
  /// - Throws: What `JSONEncoder` throws for `Work`.
  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Array(try encoder.encode(self))
  }

  /// Reads a state.
  ///
  /// - Throws: `SnapshotError.malformed` with what is wrong in it.
  init(decoding bytes: [UInt8]) throws(SnapshotError) {
    do { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) } catch let error as DecodingError {
      throw .malformed(error.text)
    } catch {
      throw .malformed("\(error)")
    }
    try machine.memory.checkAsMemory()
    guard warnings.count <= Self.maximumWarnings else { throw .tooLarge("\(warnings.count) warnings") }
    let texts = [origin, policy] + warnings
    if let length = texts.map(\.utf8.count).max(), length > String.longestFromElsewhere {
      throw .tooLarge("a text of \(length) bytes")
    }
    guard texts.allSatisfy(\.isPlain) else { throw .malformed("its texts have control characters") }
  }
}

extension [GuestPhysicalRange] {
  /// Checks that a guest can have this memory, and that it is not larger than this program reads.
  ///
  /// - Throws: `SnapshotError` when it cannot.
  func checkAsMemory() throws(SnapshotError) {
    guard count <= VirtualMachine.maximumMemorySlots else { throw .tooLarge("\(count) ranges of memory") }
    for (index, range) in enumerated() {
      guard range.isWholePages else { throw .malformed("memory of \(range), which is not whole pages below 52 bits") }
      if let other = self[..<index].first(where: range.overlaps) {
        throw .malformed("memory of \(range), which overlaps that of \(other)")
      }
    }
    // No sum of 32 lengths below 52 bits overflows.
    let pages = reduce(0) { $0 + $1.count / GuestPage.size }
    guard pages <= SnapshotHeader.maximumPageCount else { throw .tooLarge("\(pages) pages of memory") }
  }
}

/// A page in files and on sockets: its address, then its bytes.
enum PageRecord {
  static let size = 8 + GuestPage.size

  static func append(_ page: GuestPage, to bytes: inout [UInt8]) {
    bytes.append(number: page.address.rawValue)
    bytes += page.bytes
  }

  /// Reads one record; its page must lie within `memory`.
  static func page(in record: [UInt8], of memory: [GuestPhysicalRange]) throws(SnapshotError) -> GuestPage {
    let address = GuestPhysicalAddress(record.number(at: 0, as: UInt64.self))
    guard let page = GuestPage(address: address, bytes: Array(record[8...])),
      memory.contains(where: { $0.holdsPage(at: address) })
    else { throw .malformed("a page at guest-physical address \(address), where the guest has no memory") }
    return page
  }
}

extension GuestPhysicalRange {
  /// Whether a whole page at this address lies within.
  fileprivate func holdsPage(at address: GuestPhysicalAddress) -> Bool {
    address >= start && count >= GuestPage.size && address.rawValue - start.rawValue <= UInt64(count - GuestPage.size)
  }
}

/// Why bytes are not a snapshot.
public enum SnapshotError: Error, Equatable, Sendable {
  /// Without the magic of a snapshot.
  case foreign
  /// Of another version of the format.
  case version(UInt32)
  /// Fewer bytes than the header says.
  case truncated(expected: Int, found: Int)
  /// A part whose checksum is wrong.
  case damaged(String)
  /// A part that is too large: which, and how large.
  case tooLarge(String)
  /// A part that is invalid although its checksum is right.
  case malformed(String)
}

extension SnapshotError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .foreign: "this is not a snapshot of Spectrap"
    case .version(let version):
      "a snapshot of format version \(version); this program reads version \(SnapshotHeader.currentVersion)"
        + (version > SnapshotHeader.currentVersion ? ": a newer program wrote it" : "")
    case .truncated(let expected, let found): "the snapshot is cut off: it has \(found) of \(expected) bytes"
    case .damaged(let part): "the snapshot is damaged: its \(part) is not what was written"
    case .tooLarge(let what): "the snapshot has \(what), which is more than this program reads"
    case .malformed(let what): "the snapshot is invalid: \(what)"
    }
  }
}

extension DecodingError {
  /// What is wrong, and where in the JSON.
  public var text: String {
    let (what, path): (String, [any CodingKey]) =
      switch self {
      case .keyNotFound(let key, let context): ("\(key.stringValue) is missing", context.codingPath)
      // Foundation reports no more, even for 1.5 in place of a register's value.
      case .dataCorrupted(let context) where context.codingPath.isEmpty:
        ("it is not JSON, or a number in it is out of range", [])
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        (context.debugDescription, context.codingPath)
      @unknown default: ("\(self)", [])
      }
    let place = path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    return place.isEmpty ? what : "\(place): \(what)"
  }
}
