// The state in a snapshot's file, changed by someone who can compute checksums: hostile input.

import Experiments
import Hypervisor
import Rendering
import Testing
import TestSupport

@testable import Migration

@Suite("The state in a snapshot's file")
struct SnapshotStateTests {
  private let parts = MadeSnapshot.parts

  /// What is said of the state with a change, nil when it is read.
  private func sentence(_ path: String, _ value: JSONValue?) throws -> String? {
    try parts.changing(path, to: value).refusal.map { "\($0)" }
  }

  /// Everything that a file reaches without KVM.
  private func use(_ bytes: [UInt8]) {
    guard let snapshot = try? ExperimentSnapshot(decoding: bytes) else { return }
    _ = try? snapshot.document()
    _ = try? MovingGuest(snapshot)
    _ = try? snapshot.encoded()
  }

  /// The keys whose value may be missing.
  private static let optional: Set = [
    "machine.subjectValue", "machine.cpu.tscKilohertz", "machine.cpu.extendedControlRegisters", "work.pause",
    "work.kvmStatistics", "work.subjectAtStart.guest", "work.subjectAtStart.register",
  ]

  /// The paths whose keys are names of what is counted or chosen, and not of the format.
  private static let free = ["work.parameters.", "work.kvmStatistics.", "work.tally."]

  @Test("without one of its keys is refused, with the key's name")
  func missingKeys() throws {
    let keys = try parts.json.paths.filter { path in
      Int(path.split(separator: ".").last ?? "") == nil && !Self.free.contains(where: path.hasPrefix)
    }
    #expect(keys.count > 50)
    for path in keys where !Self.optional.contains(path) {
      let key = try #require(path.split(separator: ".").last)
      let said = try #require(try sentence(path, nil), "\(path)")
      #expect(said.contains("\(key) is missing"), "\(path): \(said)")
    }
    for path in Self.optional { #expect(try sentence(path, nil) == nil, "\(path)") }
  }

  @Test("with a value of another type is refused, with the key's place")
  func wrongTypes() throws {
    let json = try parts.json
    for path in json.paths {
      let wrong: JSONValue =
        switch json.value(at: path) {
        case .string: .integer(1)
        case .array, .object: .string("no list")
        default: .array([])
        }
      let said = try #require(try sentence(path, wrong), "\(path)")
      // In lists of keys and values each has its place.
      let place = path.split(separator: ".").filter { Int($0) == nil }
      #expect(place.allSatisfy(said.contains), "\(path): \(said)")
    }
  }

  @Test("with numbers that its registers and counters cannot hold is refused as such")
  func numbers() throws {
    let json = try parts.json
    let paths = json.paths.filter { if case .integer? = json.value(at: $0) { true } else { false } }
    #expect(paths.count > 40)
    for path in paths {
      let marked = try parts.changing(path, to: .integer(424_242_424_242))
      let text = String(decoding: marked.state, as: UTF8.self)
      #expect(text.contains("424242424242"))
      for literal in ["1e999", "-1e999", "1.5", "123456789012345678901234567890", "-9223372036854775809"] {
        var other = parts
        other.state = Array(text.replacing("424242424242", with: literal).utf8)
        #expect(other.refusal.map { "\($0)" }?.contains("is out of range") == true, "\(path) = \(literal)")
      }
    }
  }

  @Test("with any number replaced by an extreme one is read or refused, and everything that reads it goes on")
  func extremes() throws {
    let json = try parts.json
    let values: [JSONValue] = [
      0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, Int128(Int64.max), Int128(UInt64.max), -1,
      Int128(Int64.min), 4095, 4097, 1 << 52,
    ].map { .integer($0) }
    for path in json.paths {
      guard case .integer? = json.value(at: path) else { continue }
      for value in values { use(try parts.changing(path, to: value).file) }
    }
    // All of them at once.
    for value in values {
      var all = json
      for path in json.paths {
        if case .integer? = json.value(at: path), !path.hasPrefix("machine.memory") {
          all = all.replacing(path, with: value)
        }
      }
      var other = parts
      try other.setState(all)
      use(other.file)
    }
  }

  @Test("nested deeper than any state is refused", arguments: ["[", "{\"a\":", "{\"machine\":"])
  func nesting(opening: String) {
    for depth in [100, 10_000, 400_000] {
      let text = String(repeating: opening, count: depth)
      #expect(SnapshotBytes(state: Array(text.utf8)).refusal != nil)
      let closing = opening == "[" ? "]" : "}"
      let whole = text + (opening == "[" ? "" : "0") + String(repeating: closing, count: depth)
      #expect(SnapshotBytes(state: Array(whole.utf8)).refusal != nil)
    }
  }

  @Test(
    "that is no JSON, or that of something else, is refused", arguments: ["", " ", "null", "[]", "7", "\"x\"", "{}"])
  func others(text: String) {
    #expect(SnapshotBytes(state: Array(text.utf8)).refusal != nil)
    #expect(SnapshotBytes(state: Array(text.utf8) + [0]).refusal != nil)
    #expect(SnapshotBytes(state: [0xff, 0xfe] + Array(text.utf8)).refusal != nil)
  }

  @Test("with bytes of a structure that are none is refused", arguments: ["0", "0g", "AB", "é0", "0x00"])
  func structures(text: String) throws {
    let said = try #require(try sentence("machine.cpu.registers", .string(text)))
    #expect(said.contains("machine.cpu.registers") && said.contains("hexadecimal"))
  }

  // MARK: Memory

  private func memory(_ ranges: [(start: UInt64, count: Int64)]) throws -> SnapshotError? {
    var other = try parts.changing(
      "machine.memory",
      to: .array(
        ranges.map {
          .object(["start": .integer(Int128($0.start)), "count": .integer(Int128($0.count))])
        }))
    other.records = []
    return other.refusal
  }

  @Test(
    "with memory that is not whole pages, or not within any processor's reach, is refused",
    arguments: [
      (0, 0), (0, -4096), (0, .min), (0, .max), (0, 4095), (1, 4096), (0x800, 4096), (1 << 52, 4096),
      (.max - 4095, 4096), (.max, 1), ((1 << 52) - 4096, 8192),
    ] as [(UInt64, Int64)])
  func misplaced(start: UInt64, count: Int64) throws {
    for others in [[], [(start: 0x7000_0000, count: 4096)]] as [[(start: UInt64, count: Int64)]] {
      guard case .malformed(let what)? = try memory(others + [(start, count)]) else {
        Issue.record("it was read")
        return
      }
      #expect(what.contains("\(count) bytes at guest-physical address \(start.hex)"))
      #expect(what.contains("not whole pages"))
    }
  }

  @Test("with memory twice at one address is refused", arguments: [(0, 0x1000), (0x1000, 0x1000), (0xf000, 0x8000)])
  func overlapping(start: UInt64, count: Int64) throws {
    guard case .malformed(let what)? = try memory([(0, 0x10000), (start, count)]) else {
      Issue.record("it was read")
      return
    }
    #expect(what.contains("overlaps"))
  }

  @Test("with more memory than is read is refused, whatever the sum of the lengths would be modulo 2^64")
  func gigantic() throws {
    #expect(try memory([(0, 1 << 30)]) == nil)
    #expect(try memory([(0, (1 << 30) + 4096)]) == .tooLarge("262145 pages of memory"))
    #expect(try memory([(0, 1 << 30), (1 << 31, 4096)]) == .tooLarge("262145 pages of memory"))
    // The rest of the 52 bits, in 31 parts.
    let large = (1...31).map { (start: UInt64($0) << 47, count: Int64(1) << 46) }
    guard case .tooLarge? = try memory(large) else {
      Issue.record("it was read")
      return
    }
    let many = (0..<33).map { (start: UInt64($0) << 13, count: 4096 as Int64) }
    #expect(try memory(many) == .tooLarge("33 ranges of memory"))
    #expect(try memory(Array(many.dropLast())) == nil)
  }

  // MARK: Words

  @Test("with control characters in its words is refused: they would reach a terminal")
  func controlCharacters() throws {
    for path in ["origin", "policy", "warnings.0"] {
      for text in ["\u{1b}[2J", "a\rb", "a\nb", "\u{0}", "\u{9b}2J", "\u{7f}", "\u{202e}b", "a\u{2028}b", "\u{2069}"] {
        let said = try sentence(path, .string(text))
        #expect(said?.contains("control characters") == true, "\(path)")
      }
      #expect(try sentence(path, .string("Größe 漢字 🙂")) == nil)
    }
  }

  @Test("with more warnings than a guest can have, or one that nobody reads, is refused")
  func tooManyWarnings() throws {
    let warnings = { (count: Int) in JSONValue.array(Array(repeating: .string("w"), count: count)) }
    #expect(try sentence("warnings", warnings(64)) == nil)
    #expect(try sentence("warnings", warnings(65))?.contains("65 warnings") == true)
    #expect(try sentence("warnings", warnings(200_000))?.contains("200000 warnings") == true)
    #expect(try sentence("warnings.0", .string(String(repeating: "w", count: 4096))) == nil)
    #expect(try sentence("origin", .string(String(repeating: "w", count: 4097)))?.contains("4097 bytes") == true)
  }

  @Test("has each warning once, and never more than are read")
  func warn() throws {
    var guest = MadeSnapshot.snapshot.guest
    for number in 0..<100 {
      guest.warn("number \(number)")
      guest.warn("number \(number)")
    }
    #expect(guest.warnings.count == 64 && Set(guest.warnings).count == 64)
    #expect(guest.warnings.first == "made up" && guest.warnings.last == "number 99")
    guest.warn("a\nb")
    #expect(guest.warnings.last == "a?b")
  }

  // MARK: The experiment

  /// Why the state describes no experiment, nil when it does.
  private func noExperiment(_ path: String, _ value: JSONValue?) throws -> String? {
    let snapshot = try ExperimentSnapshot(decoding: parts.changing(path, to: value).file)
    do throws(ExperimentError) {
      _ = try PausedExperiment(snapshot)
      _ = try MovingGuest(snapshot)
    } catch { return "\(error)" }
    return nil
  }

  @Test("of an experiment that there is none of is refused, with what there is none of")
  func experiments() throws {
    #expect(try noExperiment("origin", .string("elsewhere")) == nil)
    for (path, value, words) in [
      ("work.workload", .string("nonsense"), "no workload \"nonsense\""),
      ("work.workload", .string("probe"), "probe does not run with entry breakpoint"),
      ("work.entry", .string(""), "no entry \"\""), ("policy", .string("none"), "no policy \"none\""),
      ("work.protection", .string("?"), "no protection \"?\""),
      ("work.orders", .array([]), "samples"), ("work.orders.1", .integer(0), "samples"),
      ("work.samplesTaken", .integer(5), "samples"), ("work.samplesTaken", .integer(-1), "samples"),
      ("work.pause", .integer(4), "samples"), ("work.pause", .integer(-1), "samples"),
      ("work.pause", .integer(Int128(Int64.min)), "samples"),
      ("work.orders", .array([JSONValue](repeating: .integer(1), count: 32769)), "samples"),
      ("work.parameters.writesPerEntry", .integer(1001), "writesPerEntry"),
      ("work.parameters.exitsPerEntry", .integer(Int128(Int64.min)), "exitsPerEntry"),
      ("work.parameters.nonsense", .integer(1), "nonsense"),
      ("machine.counters.subject", .integer(0x49), "different MSRs"),
      ("machine.memory.0.count", .integer(0x20_0000), "memory"),
    ] as [(String, JSONValue, String)] {
      let said = try #require(try noExperiment(path, value), "\(path)")
      #expect(said.contains(words), "\(path): \(said)")
    }
  }
}
