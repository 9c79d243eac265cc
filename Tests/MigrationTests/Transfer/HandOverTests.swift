// Who has the guest when a call of the hand-over fails: whichever call that is, and whatever it fails with, exactly one
// side runs it.

import Host
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor
@testable import Migration

@Suite("The hand-over of a guest", .bounded)
struct HandOverTests {
  /// The calls of one side, some of which fail.
  private final class Faults: Sendable {
    struct Order: Sendable, CustomTestStringConvertible {
      var call: SocketCall
      var code: Errno
      /// The first of the calls that fails.
      var first: Int
      var isForEver = false
      var testDescription: String { "\(call) \(first)\(isForEver ? " and all later ones" : ""): \(code)" }
    }

    private let order: Order?
    private let counts = Mutex<[SocketCall: Int]>([:])
    init(_ order: Order? = nil) { self.order = order }

    func next(_ call: SocketCall) -> Errno? {
      let number = counts.withLock { counts in
        counts[call, default: 0] += 1
        return counts[call, default: 0]
      }
      guard let order, order.call == call, number == order.first || order.isForEver && number > order.first else {
        return nil
      }
      return order.code
    }

    func count(_ call: SocketCall) -> Int { counts.withLock { $0[call, default: 0] } }
  }

  /// Both sides' deadlines where they are to pass: short, and each longer than what it waits for.
  private static var brief: Deadlines {
    var deadlines = Deadlines()
    deadlines.proposal = .seconds(2)
    deadlines.copying = .seconds(2)
    deadlines.decision = .milliseconds(400)
    deadlines.sending = .milliseconds(200)
    deadlines.answer = .seconds(10)
    return deadlines
  }

  private struct Outcome: Sendable, CustomStringConvertible {
    var source: Sender.HandOver
    var destination: Receiver.TakeOver?
    var calls: (source: Faults, destination: Faults)

    var description: String { "\(source), \(destination.map { "\($0)" } ?? "no guest")" }

    /// How many sides run the guest.
    var runners: Int {
      let here = if case .kept = source { 1 } else { 0 }
      let there = if case .run? = destination { 1 } else if case .runAlone? = destination { 1 } else { 0 }
      return here + there
    }
  }

  /// What the other side has come to; it has a thread of its own, for it waits.
  private final class Result: Sendable {
    let end = Mutex<Receiver.TakeOver?>(nil)
  }

  /// Hands a guest over, one page of memory first.
  private func handOver(
    source: Faults = Faults(), destination: Faults = Faults(), deadlines: Deadlines = brief,
    holding held: Duration = .zero
  ) throws -> Outcome {
    let ends = try makeStream()
    let result = Result()
    let thread = try Thread {
      let receiver = Receiver(
        hearing: Connection(owning: ends.there, failing: { destination.next($0) }), deadlines: deadlines)
      do throws(TransferError) {
        _ = try receiver.receive(as: ExperimentState.self, unless: { false })
      } catch {
        receiver.refuse("\(error)")
        return
      }
      // The question comes first when it has said `ready`, before it looks at anything.
      let hasHeld = Atomic(false)
      let end = receiver.takeOver(unless: {
        if !hasHeld.exchange(true, ordering: .relaxed) { Thread.sleep(for: held) }
        return false
      })
      if case .forget(let reason) = end { receiver.refuse(reason) }
      result.end.withLock { $0 = end }
    }
    let here = handOver(over: Connection(owning: ends.here, failing: { source.next($0) }), deadlines)
    thread.join()
    return Outcome(source: here, destination: result.end.withLock { $0 }, calls: (source, destination))
  }

  private func handOver(over connection: consuming Connection, _ deadlines: Deadlines) -> Sender.HandOver {
    let sender = Sender(over: connection, deadlines: deadlines)
    do throws(TransferError) {
      try sender.propose(memory: [GuestPhysicalRange(start: 0, count: 0x10_0000)])
      try sender.send(MadeSnapshot.snapshot.pages)
    } catch {
      sender.abort("\(error)")
      return .kept("\(error)")
    }
    return sender.handOver(MadeSnapshot.snapshot.guest, by: .now + deadlines.copying)
  }

  @Test("leaves it to the destination where nothing fails")
  func whole() throws {
    let outcome = try handOver(deadlines: Deadlines())
    #expect(outcome.source == .moved && outcome.destination == .run)
  }

  @Test("leaves it to the destination that was stopped beyond its deadline, when the source had let go of it")
  func stoppedDestination() throws {
    let outcome = try handOver(holding: .milliseconds(800))
    #expect(outcome.source == .moved && outcome.destination == .run, "\(outcome)")
  }

  /// What a call may fail with and say nothing of the other side.
  private static let codes: [Errno] = [.noBufferSpace, .noMemory, .interrupted, .resourceTemporarilyUnavailable]

  @Test("survives any one call that fails, at either side", arguments: SocketCall.allCases, codes)
  func once(call: SocketCall, code: Errno) throws {
    let calls = try handOver(deadlines: Deadlines()).calls
    for (isSource, count) in [(true, calls.source.count(call)), (false, calls.destination.count(call))] {
      #expect(count > 1)
      for first in 1...count {
        let faults = Faults(Faults.Order(call: call, code: code, first: first))
        // Nobody's time is up here, however busy the machine is.
        let outcome =
          try isSource
          ? handOver(source: faults, deadlines: Deadlines()) : handOver(destination: faults, deadlines: Deadlines())
        #expect(
          outcome.source == .moved && outcome.destination == .run,
          "\(isSource ? "source" : "destination"), \(call) \(first): \(outcome)")
      }
    }
  }

  @Test("leaves it to exactly one side where every call from one on fails: sending", arguments: [true, false])
  func sendingForEver(isSource: Bool) throws {
    let calls = try handOver().calls
    for first in 1...(isSource ? calls.source : calls.destination).count(.send) {
      let faults = Faults(Faults.Order(call: .send, code: .noBufferSpace, first: first, isForEver: true))
      let outcome = try isSource ? handOver(source: faults) : handOver(destination: faults)
      #expect(
        outcome.runners == 1,
        "\(isSource ? "source" : "destination"), send \(first): \(outcome)")
    }
  }

  @Test("runs at no two sides where nothing can be read any more", arguments: [true, false])
  func readingForEver(isSource: Bool) throws {
    let calls = try handOver().calls
    for call in [SocketCall.receive, .poll] {
      for first in 1...(isSource ? calls.source : calls.destination).count(call) {
        let faults = Faults(Faults.Order(call: call, code: .noMemory, first: first, isForEver: true))
        let outcome = try isSource ? handOver(source: faults) : handOver(destination: faults)
        #expect(
          outcome.runners == 1 || outcome.source != .moved && outcome.runners == 0,
          "\(isSource ? "source" : "destination"), \(call) \(first): \(outcome)")
      }
    }
  }
}
