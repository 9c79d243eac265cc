// What the other side of a migration says, when it means no good or speaks another language.

import Experiments
import struct Measurement.SeededGenerator
import Testing
import TestSupport

@testable import Hypervisor
@testable import Migration

@Suite("The other side of a migration", .bounded)
struct HostileMessageTests {
  private let parts = MadeSnapshot.parts

  /// Why a destination does not take what it hears, nil when it does.
  private func refusal(_ bytes: [UInt8]) throws -> TransferError? {
    do { _ = try received(bytes) } catch let error as TransferError { return error }
    return nil
  }

  private func protocolError(_ bytes: [UInt8]) throws -> String? {
    switch try refusal(bytes) {
    case .protocolError(let what): what
    // Before a proposal, nobody is there as far as the destination is concerned.
    case .nobody(let what): what.replacing("the other side broke the protocol: ", with: "")
    default: nil
    }
  }

  private var memory: [UInt8] {
    get throws { Message.made(.proposal, try json([GuestPhysicalRange(start: 0, count: 0x10_0000)])) }
  }

  private func page(_ address: UInt64) -> [UInt8] {
    Message.made(.pages, SnapshotBytes.little(address) + [UInt8](repeating: 7, count: 4096))
  }

  @Test("that sends a whole guest is believed, the last of two versions of a page too")
  func whole() throws {
    let other = Message.made(.pages, SnapshotBytes.little(0x9000 as UInt64) + [UInt8](repeating: 8, count: 4096))
    let guest = try received(memory + page(0x9000) + page(0x1000) + other + Message.made(.state, parts.state))
    #expect(guest.pages.map(\.address) == [0x1000, 0x9000])
    #expect(guest.pages.last?.bytes.first == 8)
    #expect(guest.guest.machine == MadeSnapshot.snapshot.guest.machine)
  }

  @Test("that closes in the middle of anything is gone, and no guest is there")
  func cutOff() throws {
    let proposal = try memory.count
    let all = try memory + page(0x9000) + Message.made(.state, parts.state)
    for count in Array(stride(from: 0, to: all.count, by: 97)) + [all.count - 1] {
      let refusal = try refusal(Array(all.prefix(count)))
      if count < proposal {
        #expect(refusal == .nobody("receiving: the other side is gone"), "\(count) bytes are no proposal")
        continue
      }
      guard case .socket(let error)? = refusal else {
        Issue.record("\(count) bytes are taken")
        continue
      }
      #expect(error.code == nil, "it has closed: no error of the system's")
    }
  }

  @Test("that sends a flipped bit is not believed, whichever bit it is")
  func flipped() throws {
    let all = try memory + page(0x9000) + Message.made(.state, parts.state)
    var random = SeededGenerator(seed: 11)
    for byte in Array(0..<40) + (0..<150).map({ _ in Int.random(in: 0..<all.count, using: &random) }) {
      var bytes = all
      bytes[byte] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      #expect(try refusal(bytes) != nil, "byte \(byte)")
    }
  }

  @Test("that announces more than there can be is refused before it has sent it")
  func lengths() throws {
    for kind in [MessageKind.offer, .proposal, .pages, .state, .ready, .commit, .running, .refuse, .abort] {
      for length in [UInt64(kind.limit) + 1, 1 << 40, 1 << 63, .max] {
        let said = try protocolError(Message.made(kind, length: length))
        #expect(said == "a message of kind \(kind.rawValue) with \(length) bytes")
      }
    }
  }

  @Test("that says something of no kind, or at the wrong time, is refused")
  func order() throws {
    for kind in [0, 13, .max] as [UInt32] {
      let bytes = SnapshotBytes.little(kind) + SnapshotBytes.little(0 as UInt32) + SnapshotBytes.little(0 as UInt64)
      #expect(try protocolError(bytes) == "a message of kind \(kind) with 0 bytes")
    }
    let state = Message.made(.state, parts.state)
    for (bytes, kind) in [
      (page(0), "pages"), (state, "state"), (try memory + memory, "proposal"), (Message.made(.commit), "commit"),
      (try memory + Message.made(.ready), "ready"), (Message.made(.offer), "offer"),
      (try memory + Message.made(.running), "running"), (Message.made(.refuse), "refuse"),
    ] { #expect(try protocolError(bytes)?.hasSuffix("\(kind) at the wrong time") == true) }
  }

  @Test("that gives up says why")
  func abort() throws {
    let why = "the source keeps its guest: another time"
    let abort = Message.made(.abort, Array("another time".utf8))
    #expect(try refusal(abort) == .nobody(why))
    for before in [try memory, try memory + page(0)] { #expect(try refusal(before + abort) == .ended(why)) }
  }

  @Test("that gives a reason of several lines, or one that rewrites the terminal, is quoted in one plain line")
  func forged() throws {
    let why = "no\nspectrap: the guest runs at home\u{1b}[2J\u{202e}\u{2028}"
    let said = "the source keeps its guest: no?spectrap: the guest runs at home?[2J??"
    #expect(try refusal(memory + Message.made(.abort, Array(why.utf8))) == .ended(said))
    do { _ = try offered(Message.made(.refuse, Array(why.utf8))) } catch let error as TransferError {
      #expect("\(error)".isPlain && "\(error)".contains("no?spectrap"))
    }
    let long = Message.made(.abort, [UInt8](repeating: 0x61, count: 10_000))
    guard case .ended(let text)? = try refusal(memory + long) else {
      Issue.record("it is taken")
      return
    }
    #expect(text.count < 1100 && text.hasSuffix("…"))
  }

  @Test("whose offer has words that cannot be printed is not believed")
  func forgedOffer() throws {
    for text in ["a\nspectrap: b", "\u{1b}[2J", "\u{2066}", String(repeating: "a", count: 2000)] {
      var offer = HostClass.ibrs.offer
      offer.name = text
      #expect(throws: TransferError.protocolError("an offer with control characters")) {
        _ = try offered(Message.made(.offer, try json(Greeting(offer))))
      }
    }
  }

  @Test("that proposes more memory than is wanted is refused at once, and told why; pages of zeroes are not kept")
  func memoryBomb() throws {
    let large = Message.made(.proposal, try json([GuestPhysicalRange(start: 0, count: 1 << 30)]))
    let receiver = Receiver(hearing: try connection(saying: large))
    #expect(throws: TransferError.ended("too much")) {
      _ = try receiver.receive(as: ExperimentState.self, refusing: { _ in "too much" }, unless: { false })
    }
    let zeroes = Message.made(.pages, SnapshotBytes.little(0x9000 as UInt64) + [UInt8](repeating: 0, count: 4096))
    let guest = try received(memory + zeroes + page(0x1000) + Message.made(.state, parts.state))
    #expect(guest.pages.map(\.address) == [0x1000])
    // And a page that has become zeroes is forgotten.
    #expect(try received(memory + page(0x9000) + zeroes + Message.made(.state, parts.state)).pages.isEmpty)
  }

  @Test("that proposes memory which cannot be is refused")
  func proposals() throws {
    func said(_ text: String) throws -> TransferError? { try refusal(Message.made(.proposal, Array(text.utf8))) }
    for (range, words) in [
      (#"{"start":0,"count":-4096}"#, "not whole pages"), (#"{"start":1,"count":4096}"#, "not whole pages"),
      (#"{"start":0,"count":9223372036854775807}"#, "not whole pages"),
      (#"{"start":18446744073709547520,"count":4096}"#, "not whole pages"),
      (#"{"start":0,"count":2251799813685248}"#, "549755813888 pages"),
      (#"{"start":0,"count":4096},{"start":0,"count":4096}"#, "overlaps"),
    ] {
      guard case .nobody(let reason)? = try said("[\(range)]") else {
        Issue.record("\(range) is taken")
        continue
      }
      #expect(reason.contains(words), "\(reason)")
    }
    for text in ["", "{}", "[1]", #"[{"start":0}]"#, #"[{"start":1.5,"count":4096}]"#, "[[[["] {
      guard case .nobody? = try said(text) else {
        Issue.record("\(text) is taken")
        continue
      }
    }
  }

  @Test("that sends a page outside the memory which it proposed, or a part of a page, is refused")
  func pages() throws {
    for address in [0x10_0000, 0x8001, .max, .max - 4095] as [UInt64] {
      guard case .snapshot(.malformed)? = try refusal(memory + page(address)) else {
        Issue.record("\(address) is taken")
        continue
      }
    }
    for count in [1, 8, 4103, 4105] {
      let bytes = try memory + Message.made(.pages, [UInt8](repeating: 0, count: count))
      #expect(try refusal(bytes) == .snapshot(.malformed("a part of a page")), "\(count)")
    }
  }

  @Test("that sends a state with other memory than it proposed, or none at all, is refused")
  func states() throws {
    let small = Message.made(.proposal, try json([GuestPhysicalRange(start: 0, count: 0x1000)]))
    #expect(try protocolError(small + Message.made(.state, parts.state)) == "the memory is not what was proposed")
    for text in ["", "{}", "null", String(repeating: "[", count: 2000)] {
      guard case .snapshot(.malformed)? = try refusal(memory + Message.made(.state, Array(text.utf8))) else {
        Issue.record("\(text.prefix(9)) is taken")
        continue
      }
    }
  }

  // MARK: The source's ear

  private func offered(_ bytes: [UInt8]) throws -> HostOffer {
    try Sender(over: connection(saying: bytes)).offer()
  }

  @Test("that offers a host is heard by the source")
  func offer() throws {
    let offer = HostClass.ibrs.offer
    #expect(try offered(Message.made(.offer, try json(Greeting(offer)))) == offer)
  }

  @Test("that offers nothing, another version's something or a refusal is told apart")
  func noOffer() throws {
    func error(_ bytes: [UInt8]) throws -> TransferError? {
      do { _ = try offered(bytes) } catch let error as TransferError { return error }
      return nil
    }
    func said(_ text: String) throws -> String? {
      if case .protocolError(let what)? = try error(Message.made(.offer, Array(text.utf8))) { what } else { nil }
    }
    #expect(try said(#"{"version":2,"more":[]}"#) == "it has version 2; this program has 1")
    for text in [
      "", "{}", "[]", #"{"version":1}"#, #"{"version":1,"offer":{}}"#, #"{"version":"1"}"#, #"{"version":1e9}"#,
    ] {
      #expect(try said(text) != nil, "\(text)")
    }
    #expect(
      try error(Message.made(.refuse, Array("full".utf8))) == .ended("the destination refuses a guest: full"))
    #expect(try error(Message.made(.ready)) == .protocolError("ready before its offer"))
  }

  @Test("that offers numbers which no host has is decided on, and nothing breaks")
  func extremes() throws {
    let json = try JSONValue(parsing: String(decoding: try json(Greeting(HostClass.ibrsAll.offer)), as: UTF8.self))
    for path in json.paths {
      guard case .integer? = json.value(at: path) else { continue }
      for value in [-1, Int128(Int64.min), Int128(Int64.max), Int128(UInt64.max), 1 << 32] {
        let changed = try json.replacing(path, with: .integer(value)).bytes
        guard let offer = try? offered(Message.made(.offer, changed)) else { continue }
        for policy in PolicyName.allCases {
          _ = Decision(of: try MovingGuest(MadeSnapshot.snapshot), to: offer, under: policy).reason
        }
      }
    }
  }
}
