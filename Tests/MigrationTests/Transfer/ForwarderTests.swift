// Who has the guest when what stands between the two sides ends, and both live.

import Host
import Synchronization
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor
@testable import Migration

@Suite("The hand-over of a guest through a forwarder", .bounded)
struct ForwarderTests {
  /// Who was told that there is a forwarder.
  enum Knower: String, CaseIterable, Sendable { case source, destination }

  /// A side that sends, with the messages that go from it to the other.
  private static func messages(_ knower: Knower) -> [(isFromSource: Bool, kind: MessageKind)] {
    [(false, .offer)] + (knower == .source ? [(true, .forwarded)] : [])
      + [(true, .proposal), (true, .pages), (true, .state), (false, .ready), (true, .commit), (false, .running)]
  }

  private final class Result: Sendable {
    let end = Mutex<Receiver.TakeOver?>(nil)
  }

  /// Hands a guest over through a forwarder that ends after some messages.
  private func handOver(
    _ knower: Knower, forwarding count: Int
  ) throws -> (source: Sender.HandOver, destination: Receiver.TakeOver?) {
    let (left, right) = (try makeStream(), try makeStream())
    let result = Result()
    let destination = try Thread {
      let connection = Connection(owning: right.there, isForwarded: knower == .destination)
      do throws(TransferError) {
        let receiver = try Receiver(connection, offering: HostClass.ibrsAll.offer)
        do throws(TransferError) { _ = try receiver.receive(as: ExperimentState.self, unless: { false }) } catch {
          receiver.refuse("\(error)")
          return
        }
        let end = receiver.takeOver(unless: { false })
        if case .forget(let reason) = end { receiver.refuse(reason) }
        result.end.withLock { $0 = end }
      } catch {}
    }
    let forwarder = try Thread {
      let source = Connection(owning: left.there)
      let other = Connection(owning: right.here)
      let limit = ContinuousClock.now + .seconds(60)
      for (isFromSource, kind) in Self.messages(knower).prefix(count) {
        guard let message = isFromSource ? try? source.message(by: limit) : try? other.message(by: limit) else {
          Issue.record("no \(kind)")
          return
        }
        #expect(message.kind == kind)
        if isFromSource {
          try? other.send(message.bytes, by: limit)
        } else {
          try? source.send(message.bytes, by: limit)
        }
      }
    }
    let sender = Sender(over: Connection(owning: left.here, isForwarded: knower == .source))
    let here: Sender.HandOver
    do throws(TransferError) {
      _ = try sender.offer()
      try sender.propose(memory: [GuestPhysicalRange(start: 0, count: 0x10_0000)])
      try sender.send(MadeSnapshot.snapshot.pages)
      here = sender.handOver(MadeSnapshot.snapshot.guest, by: .now + .seconds(60))
    } catch {
      sender.abort("\(error)")
      here = .kept("\(error)")
    }
    forwarder.join()
    destination.join()
    return (here, result.end.withLock { $0 })
  }

  @Test("that ends after any message leaves it to one side at most", arguments: Knower.allCases)
  func cut(knower: Knower) throws {
    let messages = Self.messages(knower)
    func index(_ kind: MessageKind) -> Int { messages.firstIndex { $0.kind == kind }! }
    for count in 0...messages.count {
      let (source, destination) = try handOver(knower, forwarding: count)
      let isKept = if case .kept = source { true } else { false }
      let isUnknown = if case .unknown = source { true } else { false }
      let there = destination.map { "\($0)" } ?? "nothing"
      let text: Comment = "\(count) of \(messages.count) messages: \(source), \(there)"
      if count > index(.running) {
        #expect(source == .moved && destination == .run, text)
      } else if count > index(.commit) {
        #expect(isUnknown && [.run, .runAlone].contains(destination), text)
      } else if count > index(.ready) {
        // What was said to the forwarder may or may not be lost.
        #expect(isKept || isUnknown, text)
        if case .forget = destination {} else { Issue.record(text) }
      } else {
        #expect(isKept, text)
        #expect(destination != .run && destination != .runAlone, text)
      }
    }
  }
}
