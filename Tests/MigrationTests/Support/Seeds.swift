// The files that fuzzing begins with (Tests/MigrationTests/Corpus, scripts/fuzz), each made for a reason. Beside them
// lie those that fuzzing has found, `found-*`. Those of a migration begin with a byte that says who reads them: 0 the
// destination, 1 the source.

import FoundationEssentials
import TestSupport

@testable import Hypervisor
@testable import Migration

enum Seeds {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Corpus")

  static func snapshots() throws -> [String: [UInt8]] {
    let whole = MadeSnapshot.parts
    var empty = whole
    empty.records = []
    func changing(_ path: String, _ value: JSONValue) throws -> [UInt8] { try empty.changing(path, to: value).file }
    func with(_ change: (inout SnapshotBytes) -> Void) -> SnapshotBytes {
      var copy = empty
      change(&copy)
      return copy
    }
    let most = JSONValue.integer(Int128(UInt64.max))
    let endless = JSONValue.object(["start": .integer(0), "count": .integer(Int128(Int64.max))])
    var flipped = empty.file
    flipped[100] ^= 4
    return [
      "snapshot-made": whole.file,
      "snapshot-empty-memory": empty.file,
      "snapshot-counters-at-their-limit": try empty.changing("machine.counters.halts", to: most)
        .changing("machine.counters.portOuts", to: most).changing("work.hostCycles", to: most)
        .changing("machine.counters.subjectCount.writes", to: most).file,
      "snapshot-memory-sum-overflows": try changing("machine.memory", .array(Array(repeating: endless, count: 40))),
      "snapshot-memory-negative": try changing("machine.memory.0.count", .integer(Int128(Int64.min))),
      "snapshot-page-at-the-end-of-addresses": with { $0.addPage(at: .max - 4095) }.file,
      "snapshot-promises-a-gigabyte": with { $0.pageCount = 1 << 18 }.header,
      "snapshot-newer": with { $0.version = 2 }.header,
      "snapshot-cut-off": Array(whole.file.prefix(200)),
      "snapshot-flipped": flipped,
      "snapshot-foreign": Array("\u{7f}ELF\u{2}\u{1}\u{1}".utf8),
      "snapshot-nested": SnapshotBytes(state: Array(String(repeating: "[", count: 600).utf8)).file,
      "snapshot-control-characters": try changing("origin", .string("\u{1b}[2J")),
    ]
  }

  static func transfers() throws -> [String: [UInt8]] {
    let parts = MadeSnapshot.parts
    let memory = Message.made(
      .proposal, try JSONValue(encoding: [GuestPhysicalRange(start: 0, count: 0x10_0000)]).bytes)
    let page = Message.made(.pages, Array(parts.records.prefix(PageRecord.size)))
    let endless = #"[{"start":0,"count":9223372036854775807},{"start":0,"count":9223372036854775807}]"#
    let no = Array("no".utf8)
    return [
      "transfer-to-destination": [0] + memory + page + Message.made(.state, parts.state) + Message.made(.commit),
      "transfer-to-destination-abort": [0] + memory + Message.made(.abort, no),
      "transfer-to-destination-part-of-a-page": [0] + memory + Message.made(.pages, [1, 2, 3]),
      "transfer-to-destination-huge-memory": [0] + Message.made(.proposal, Array(endless.utf8)),
      "transfer-to-destination-wrong-checksum": [0] + Message.made(.proposal, Array("[]".utf8), checksum: 1),
      "transfer-to-destination-endless": [0] + Message.made(.proposal, [], length: .max),
      "transfer-to-source": [1] + Message.made(.offer, try JSONValue(encoding: Greeting(HostClass.ibrs.offer)).bytes),
      "transfer-to-source-refused": [1] + Message.made(.refuse, no),
      "transfer-to-source-other-version": [1] + Message.made(.offer, Array(#"{"version":2}"#.utf8)),
    ]
  }
}

extension Message {
  /// A message's bytes; its checksum and length may be wrong.
  static func made(
    _ kind: MessageKind, _ payload: [UInt8] = [], checksum: UInt32? = nil, length: UInt64? = nil
  ) -> [UInt8] {
    SnapshotBytes.little(kind.rawValue) + SnapshotBytes.little(checksum ?? SnapshotBytes.checksum(payload))
      + SnapshotBytes.little(length ?? UInt64(payload.count)) + payload
  }
}
