// The destination's side of a migration. docs/migration.md has a table of the states and what ends each.
//
// Until it has sent `ready` the destination has no part in the guest: if anything fails, it discards what it received.
// After `ready` it holds a whole guest and everything that running it needs, and waits for one of three things. On
// `commit` it runs the guest. On `abort` it discards it. At the end of the stream, which a living source does not cause
// without an `abort` before, it runs the guest, because nobody else has it. It sends `running` before the guest's first
// instruction, so that the source gives up the guest first; if it cannot send that to a living source, it does not run
// the guest.
//
// Where something stands between the two sides, as either of them may know, the end of the stream does not mean that
// the source is dead: it then discards the guest unless `commit` has arrived.

import FoundationEssentials
public import Hypervisor
import Synchronization

/// The destination's side of one migration.
public final class Receiver: Sendable {
  private let connection: Connection
  private let deadlines: Deadlines
  /// Whether the end of the stream says nothing about the source.
  private let isForwarded: Atomic<Bool>
  /// When the source must have proposed a guest.
  private let deadline: ContinuousClock.Instant

  /// Sends a source this host's offer.
  ///
  /// - Throws: `TransferError` when it is gone.
  public convenience init(
    _ connection: consuming Connection, offering offer: HostOffer, deadlines: Deadlines = Deadlines(),
    unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    self.init(hearing: connection, deadlines: deadlines)
    let words = Greeting(offer, isForwarded: isForwarded.load(ordering: .relaxed))
    let greeting = Message(kind: .offer, payload: try json(words))
    do { try self.connection.send(greeting.bytes, by: deadline, unless: isCancelled) } catch {
      throw .socket(error.cause)
    }
  }

  /// A destination whose offer has been sent.
  init(hearing connection: consuming Connection, deadlines: Deadlines = Deadlines()) {
    isForwarded = Atomic(connection.isForwarded)
    self.connection = connection
    self.deadlines = deadlines
    deadline = .now + deadlines.proposal
  }

  /// Receives a guest: its memory, where later pages replace earlier ones, and in the end its state.
  ///
  /// Never holds more than the proposed memory.
  ///
  /// - Parameter refusal: Says why a guest cannot have such memory here; nil if it can.
  /// - Throws: `TransferError` when the source is gone, silent, slow or aborts, or what arrives is invalid.
  public func receive<Work>(
    as: Work.Type, refusing refusal: ([GuestPhysicalRange]) -> String? = { _ in nil }, unless isCancelled: () -> Bool
  ) throws(TransferError) -> Snapshot<Work> {
    let memory = try proposal(unless: isCancelled)
    if let reason = refusal(memory) { throw .ended(reason) }
    let deadline = ContinuousClock.now + deadlines.copying(memory.reduce(0) { $0 + $1.count })
    var pages: [GuestPhysicalAddress: GuestPage] = [:]
    while true {
      let message = try connection.message(by: deadline, unless: isCancelled)
      switch message.kind {
      case .pages:
        do throws(SnapshotError) {
          for start in stride(from: 0, to: message.payload.count, by: PageRecord.size) {
            let record = Array(message.payload[start...].prefix(PageRecord.size))
            guard record.count == PageRecord.size else { throw .malformed("a part of a page") }
            let page = try PageRecord.page(in: record, of: memory)
            // Memory begins as zeroes.
            pages[page.address] = page.isZero ? nil : page
          }
        } catch { throw .snapshot(error) }
      case .state:
        let guest: PortableGuest<Work>
        do { guest = try PortableGuest(decoding: message.payload) } catch { throw .snapshot(error) }
        guard guest.machine.memory == memory else { throw .protocolError("the memory is not what was proposed") }
        return Snapshot(guest: guest, pages: pages.values.sorted { $0.address < $1.address })
      case .abort: throw .ended("the source keeps its guest: \(message.text)")
      default: throw .protocolError("\(message.kind) at the wrong time")
      }
    }
  }

  /// The memory of the proposed guest.
  private func proposal(unless isCancelled: () -> Bool) throws(TransferError) -> [GuestPhysicalRange] {
    do throws(TransferError) {
      var message = try connection.message(by: deadline, unless: isCancelled)
      if message.kind == .forwarded {
        isForwarded.store(true, ordering: .relaxed)
        message = try connection.message(by: deadline, unless: isCancelled)
      }
      switch message.kind {
      case .proposal: break
      case .abort: throw .nobody("the source keeps its guest: \(message.text)")
      default: throw .nobody("it sent \(message.kind) at the wrong time")
      }
      let ranges: [GuestPhysicalRange]
      do { ranges = try JSONDecoder().decode([GuestPhysicalRange].self, from: Data(message.payload)) } catch {
        throw .protocolError("\(error)".plain)
      }
      do { try ranges.checkAsMemory() } catch { throw .snapshot(error) }
      return ranges
    } catch { throw error.beforeAnything }
  }

  /// What to do with a guest that has arrived completely.
  public enum TakeOver: Equatable, Sendable {
    /// Run it: the source has given it up.
    case run
    /// Run it: the source is dead, and nobody else has it.
    case runAlone
    /// Discard it, for this reason: the source keeps it, or its decision is unknown.
    case forget(String)
  }

  /// Sends `ready` and waits for the source's decision; if cancelled by then, leaves the guest to the source.
  ///
  /// Everything that running the guest needs must be allocated: from here on nothing may fail.
  public func takeOver(unless isCancelled: () -> Bool) -> TakeOver {
    let deadline = ContinuousClock.now + deadlines.decision
    // If `ready` cannot be sent, the source has sent something before it closed, or is dead; reading shows which.
    _ = connection.deliver(Message(kind: .ready), by: deadline)
    do throws(TransferError) {
      let message = try connection.message(by: deadline, unless: isCancelled)
      switch message.kind {
      case .commit where isCancelled(): return .forget("stopped on request before it ran here")
      case .commit: break
      case .abort: return .forget("the source keeps its guest: \(message.text)")
      default: return .forget("it sent \(message.kind) instead of commit")
      }
    } catch {
      if case .socket(let error) = error, error.isEndOfStream {
        guard isForwarded.load(ordering: .relaxed) else { return .runAlone }
        return .forget("the stream ended before the source's decision, and the source may live (\(error))")
      }
      // This process may have been stopped beyond the deadline, and the source may have given up the guest since.
      guard !isCancelled(), connection.hasReceived(Message(kind: .commit)) else {
        return .forget("no decision came from the source: \(error)")
      }
    }
    return switch connection.deliver(Message(kind: .running), by: .now + deadlines.sending) {
    case .delivered: .run
    case .gone: .runAlone
    case .undelivered: .forget("`running` could not be sent to the source: the system accepts no message")
    }
  }

  /// Tells the source that its guest is refused.
  public func refuse(_ reason: String) { _ = connection.deliver(.reason(.refuse, reason), by: .now + .seconds(1)) }
}
