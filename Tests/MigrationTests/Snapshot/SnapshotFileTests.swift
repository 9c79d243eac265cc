// The file of a snapshot: what is written is what is documented, is read again, and is refused as soon as a bit of it
// is another.

import Experiments
import struct Measurement.SeededGenerator
import Testing
import TestSupport

@testable import Hypervisor
@testable import Migration

@Suite("The file of a snapshot")
struct SnapshotFileTests {
  private let file = MadeSnapshot.file
  private let parts = MadeSnapshot.parts

  @Test("is read as what was written")
  func roundTrip() throws {
    let read = try ExperimentSnapshot(decoding: file)
    let made = MadeSnapshot.snapshot
    #expect(read.guest.machine == made.guest.machine)
    #expect(read.pages == made.pages)
    #expect(try JSONValue(encoding: read.guest) == JSONValue(encoding: made.guest))
    #expect(try read.encoded() == file, "and is written as what was read")
  }

  @Test("has its header's fields where docs/snapshots.md says")
  func header() throws {
    #expect(parts.file == file)
    #expect(Array(file[..<8]) == Array("SPECTRAP".utf8))
    #expect(file.number(at: 8, as: UInt32.self) == 1 && file.number(at: 12, as: UInt32.self) == 0)
    #expect(file.number(at: 16, as: UInt64.self) == UInt64(file.count - 64 - 2 * 4104))
    #expect(file.number(at: 24, as: UInt64.self) == 2)
    #expect(file.number(at: 32, as: UInt32.self) == SnapshotBytes.checksum(parts.state))
    #expect(file.number(at: 36, as: UInt32.self) == SnapshotBytes.checksum(parts.records))
    #expect(file[40..<60].allSatisfy { $0 == 0 })
    #expect(file.number(at: 60, as: UInt32.self) == SnapshotBytes.checksum(Array(file[..<60])))
    let header = try SnapshotHeader(file)
    #expect(header.fileLength == file.count && header.pageCount == 2 && header.stateLength == parts.state.count)
    #expect(parts.state.first == UInt8(ascii: "{"))
    #expect(parts.records.number(at: 0, as: UInt64.self) == 0x8000)
    #expect(parts.records.number(at: 4104, as: UInt64.self) == 0x3_0000)
  }

  @Test("cut off anywhere is refused, with how much of it is there")
  func truncation() {
    for count in 0..<file.count {
      let expected: SnapshotError =
        switch count {
        case ..<8: .foreign
        case ..<64: .truncated(expected: 64, found: count)
        default: .truncated(expected: file.count, found: count)
        }
      #expect(refusal(of: Array(file[..<count])) == expected)
    }
  }

  @Test("with any bit of its header changed is refused")
  func headerBits() {
    for bit in 0..<64 * 8 {
      var bytes = file
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      let expected: SnapshotError =
        switch bit / 8 {
        case ..<8: .foreign
        case ..<12: .version(1 ^ 1 << UInt32(bit - 64))
        default: .damaged("header")
        }
      #expect(refusal(of: bytes) == expected, "bit \(bit)")
    }
  }

  @Test("with a bit of its state or memory changed is refused, with the part that is damaged")
  func bodyBits() {
    var random = SeededGenerator(seed: 3)
    let memory = 64 + parts.state.count
    let edges = [64, memory - 1, memory, file.count - 1]
    for byte in edges + (0..<200).map({ _ in Int.random(in: 64..<file.count, using: &random) }) {
      var bytes = file
      bytes[byte] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      #expect(refusal(of: bytes) == .damaged(byte < memory ? "state" : "memory"), "byte \(byte)")
    }
  }

  @Test("of another version is refused, a newer one as such", arguments: [0, 2, 3, .max] as [UInt32])
  func version(version: UInt32) throws {
    var other = parts
    other.version = version
    #expect(other.refusal == .version(version))
    // What a version of the future has behind its number is its own business.
    var short = other.file
    for index in 12..<64 { short[index] = 0xff }
    #expect(refusal(of: short) == .version(version))
    let sentence = "\(try #require(other.refusal))"
    #expect(sentence.contains("version \(version)") && sentence.contains("reads version 1"))
    #expect(sentence.contains("a newer program wrote it") == (version > 1))
  }

  @Test(
    "is no other kind of file",
    arguments: ["", "{}", "\u{7f}ELF", "spectrap", "SPECTRA", "SPECTRUM is another machine"])
  func foreign(text: String) throws {
    #expect(refusal(of: Array(text.utf8)) == .foreign)
    #expect(refusal(of: Array((text + String(repeating: " ", count: 5000)).utf8)) == .foreign)
    #expect("\(SnapshotError.foreign)" == "this is not a snapshot of Spectrap")
  }

  @Test("is refused when something stands behind it, or between its parts")
  func more() {
    #expect("\(refusal(of: file + [0]).map { "\($0)" } ?? "")".contains("follow the last page"))
    // A header that does not count the last page.
    var fewer = parts
    fewer.pageCount = 1
    #expect("\(fewer.refusal.map { "\($0)" } ?? "")".contains("follow the last page"))
    var shorter = parts
    shorter.stateLength = UInt64(parts.state.count - 1)
    #expect("\(shorter.refusal.map { "\($0)" } ?? "")".contains("follow the last page"))
  }

  @Test(
    "whose header promises more than is read is refused by the header alone",
    arguments: [(4 << 20) + 1, 1 << 32, 1 << 63, .max] as [UInt64])
  func limits(length: UInt64) {
    var long = SnapshotBytes(state: [])
    long.stateLength = length
    #expect(refusal(of: long.header) == .tooLarge("a state of \(length) bytes"))
    var many = SnapshotBytes(state: [])
    many.pageCount = length
    #expect(refusal(of: many.header) == .tooLarge("\(length) pages of memory"))
    // The most that is read, and nothing there.
    var most = SnapshotBytes(state: [])
    (most.stateLength, most.pageCount) = (4 << 20, 1 << 18)
    #expect(refusal(of: most.header) == .truncated(expected: 64 + 4 << 20 + 4104 << 18, found: 64))
  }

  @Test("whose reserved bytes are not zero is refused, its checksums being right")
  func reserved() {
    var other = parts
    other.reserved = 1
    #expect("\(other.refusal.map { "\($0)" } ?? "")".contains("are not zero"))
    for index in parts.padding.indices {
      var other = parts
      other.padding[index] = 0x80
      #expect("\(other.refusal.map { "\($0)" } ?? "")".contains("are not zero"), "\(index)")
    }
  }

  @Test("with a page where the guest has no memory, or of no page's address, is refused, its checksums being right")
  func pages() {
    for address in [0x10_0000, 0x10_0000 - 1, 1, 0x800, 0xf_f001, .max, .max - 0xfff, 1 << 52] as [UInt64] {
      var other = SnapshotBytes(state: parts.state)
      other.addPage(at: address)
      let sentence = other.refusal.map { "\($0)" } ?? ""
      #expect(sentence.contains(address.hex) && sentence.contains("has no memory"), "\(address)")
    }
    var last = SnapshotBytes(state: parts.state)
    last.addPage(at: 0)
    last.addPage(at: 0xf_f000)
    #expect(last.refusal == nil)
  }

  @Test("with pages that are not in ascending order is refused", arguments: [(0x3000, 0x2000), (0x2000, 0x2000)])
  func order(first: UInt64, second: UInt64) {
    var other = SnapshotBytes(state: parts.state)
    other.addPage(at: 0x1000)
    other.addPage(at: first)
    other.addPage(at: second)
    #expect(other.refusal == .malformed("the pages of memory are not in ascending order"))
  }
}
