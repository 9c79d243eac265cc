// How long one side waits for the other.

import Experiments
import FoundationEssentials
import Host
import SystemPackage
import TestSupport
import Testing

@testable import Hypervisor
@testable import Migration

@Suite("Waiting for the other side", .bounded)
struct DeadlineTests {
  @Test("ends in time with one that is silent, and with one that says a byte now and then")
  func ends() async throws {
    let message = Message.made(.abort, [UInt8](repeating: 0x61, count: 1000))
    // A whole message, a byte in each millisecond: it is there after a second.
    for drips in [0, message.count] {
      let ends = try makeStream()
      let (here, there) = (End(owning: ends.here), End(owning: ends.there))
      let dripping = Task.detached {
        for byte in message.prefix(drips) {
          // The other side hangs up in the end.
          guard (try? there.connection.send([byte], by: .now + .seconds(60))) != nil else { return }
          try? await Task.sleep(for: .milliseconds(1))
        }
      }
      #expect(throws: TransferError.socket(SocketError(what: "waiting", code: .timedOut))) {
        _ = try here.connection.message(by: .now + .milliseconds(200))
      }
      dripping.cancel()
    }
  }

  @Test("is not needed where the whole message is there")
  func whole() throws {
    let connection = try connection(saying: Message.made(.abort, Array("enough".utf8)))
    #expect(try connection.message(by: .now + .seconds(20)).text == "enough")
  }

  @Test("ends in time with one that reads slowly: the whole phase has one deadline")
  func slowReader() async throws {
    let ends = try makeStream()
    let (here, there) = (End(owning: ends.here), End(owning: ends.there))
    let reading = Task.detached {
      while (try? there.connection.receive(64, by: .now + .seconds(60))) != nil {
        try? await Task.sleep(for: .milliseconds(5))
      }
    }
    let error = #expect(throws: Connection.Cut.self) {
      try here.connection.send([UInt8](repeating: 0, count: 8 << 20), by: .now + .milliseconds(300))
    }
    #expect(error?.cause.code == .timedOut && error?.sent ?? 0 > 0)
    reading.cancel()
  }

  @Test("is not asked of who is cancelled, in whichever wait he is")
  func cancelled() throws {
    let ends = try makeStream()
    let (here, there) = (End(owning: ends.here), End(owning: ends.there))
    let far = ContinuousClock.now + .seconds(3600)
    #expect(throws: TransferError.socket(SocketError(what: "waiting", code: .canceled))) {
      _ = try here.connection.message(by: far, unless: { true })
    }
    let sending = #expect(throws: Connection.Cut.self) {
      try here.connection.send([UInt8](repeating: 0, count: 8 << 20), by: far, unless: { true })
    }
    #expect(sending?.cause.code == .canceled)
    withExtendedLifetime(there) {}
  }

  @Test("of a source ends with a destination that has not said whether it took over: the guest goes on nowhere here")
  func unknown() throws {
    let ends = try makeStream()
    let there = End(owning: ends.there)
    try there.connection.send(Message(kind: .ready).bytes, by: .now + .seconds(60))
    var deadlines = Deadlines()
    deadlines.answer = .milliseconds(100)
    let sender = Sender(over: Connection(owning: ends.here), deadlines: deadlines)
    guard case .unknown(let reason) = sender.handOver(MadeSnapshot.snapshot.guest, by: .now + .seconds(60)) else {
      Issue.record("it is taken for known")
      return
    }
    #expect(reason.contains("has not confirmed it") && reason.contains("may run there"))
  }

  @Test("of a destination ends with a source that says nothing after `ready`: the guest stays the source's")
  func silentSource() throws {
    let ends = try makeStream()
    let there = End(owning: ends.there)
    var deadlines = Deadlines()
    deadlines.decision = .milliseconds(100)
    let receiver = Receiver(hearing: Connection(owning: ends.here), deadlines: deadlines)
    guard case .forget(let reason) = receiver.takeOver(unless: { false }) else {
      Issue.record("it runs the guest")
      return
    }
    #expect(reason.contains("no decision came from the source"))
    withExtendedLifetime(there) {}
  }

  @Test("of a destination that was stopped beyond it: a word that has come counts, the end of the stream does not")
  func stopped() throws {
    for (said, closes, end) in [
      (Message(kind: .commit), false, .run), (Message(kind: .commit), true, .runAlone), (nil, true, nil),
      (Message.reason(.abort, "another time"), true, nil),
    ] as [(Message?, Bool, Receiver.TakeOver?)] {
      let ends = try makeStream()
      var there: End? = End(owning: ends.there)
      if let said { try there?.connection.send(said.bytes, by: .now + .seconds(60)) }
      if closes { there = nil }
      var deadlines = Deadlines()
      deadlines.decision = .milliseconds(1)
      let receiver = Receiver(hearing: Connection(owning: ends.here), deadlines: deadlines)
      let result = receiver.takeOver(unless: {
        Thread.sleep(for: .milliseconds(20))
        return false
      })
      if let end {
        #expect(result == end)
      } else {
        guard case .forget = result else {
          Issue.record("\(result)")
          continue
        }
      }
      withExtendedLifetime(there) {}
    }
  }

  @Test("of an order is possible, or the order is none: a down time and rounds that no guest is moved with")
  func limits() throws {
    func reread(_ downTime: Duration, _ rounds: Int) throws -> PreCopyLimits {
      var limits = PreCopyLimits(downTime: downTime)
      limits.rounds = rounds
      return try JSONDecoder().decode(PreCopyLimits.self, from: try JSONEncoder().encode(limits))
    }
    for (downTime, rounds) in [(Duration.milliseconds(1), 1), (.seconds(1000), 30)] {
      let limits = try reread(downTime, rounds)
      #expect(limits.downTime == downTime && limits.rounds == rounds)
    }
    for (downTime, rounds) in [
      (Duration.seconds(Int64.max), 1), (.seconds(Int64.min), 1), (.zero, 1), (.seconds(1001), 1), (.seconds(1), 0),
      (.seconds(1), 31), (.seconds(1), .max), (.seconds(1), .min),
    ] {
      #expect(throws: DecodingError.self, "\(downTime), \(rounds)") { try reread(downTime, rounds) }
    }
  }

  @Test("grows with the memory that is copied, and no source holds a destination for longer")
  func copying() throws {
    var deadlines = Deadlines()
    #expect(deadlines.copying(0) == deadlines.copying)
    #expect(deadlines.copying(1 << 30) > deadlines.copying(1 << 20))
    deadlines.copying = .milliseconds(100)
    let ends = try makeStream()
    let there = End(owning: ends.there)
    let receiver = Receiver(hearing: Connection(owning: ends.here), deadlines: deadlines)
    let memory = try json([GuestPhysicalRange(start: 0, count: 4096)])
    try there.connection.send(Message.made(.proposal, memory), by: .now + .seconds(60))
    #expect(throws: TransferError.socket(SocketError(what: "waiting", code: .timedOut))) {
      _ = try receiver.receive(as: ExperimentState.self, unless: { false })
    }
  }
}
