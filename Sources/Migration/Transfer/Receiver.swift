// The destination's side of a migration.
//
// Until it has said `ready` the guest is none of its business: whatever goes wrong, it forgets what came. Once it has said `ready` it
// holds a whole guest, and waits for one of three things: `commit`, and it runs the guest; `abort`, and it forgets it; the end of the
// stream, which a living source does not cause without an `abort` before, and it runs the guest, which has nobody else. It says
// `running` before the guest's first instruction, so that the source lets go of it first.

import FoundationEssentials
import Hypervisor

/// The destination's side of one migration.
public final class Receiver: Sendable {
  private let connection: Connection

  /// How long a source may take to propose a guest.
  private static let patience = Duration.seconds(10)

  /// Greets a source with what this host offers.
  ///
  /// Throws `TransferError` when it is gone.
  public init(_ connection: consuming Connection, offering offer: HostOffer) throws(TransferError) {
    self.connection = connection
    try self.connection.send(Message(kind: .offer, payload: try json(Greeting(offer))))
  }

  /// A destination whose greeting has been said.
  init(hearing connection: consuming Connection) { self.connection = connection }

  /// Receives a guest: its memory, again and again where it changes, and in the end its state.
  ///
  /// Throws `TransferError`: the source is gone or has other plans, or what comes is no guest.
  public func receive<Work>(as: Work.Type, unless isCancelled: () -> Bool) throws(TransferError) -> Snapshot<Work> {
    var memory: [GuestPhysicalRange]?
    var pages: [GuestPhysicalAddress: GuestPage] = [:]
    while true {
      let message: Message
      do {
        message = try connection.message(within: memory == nil ? Self.patience : nil, unless: isCancelled)
      } catch {
        throw memory == nil ? error.beforeAnything : error
      }
      switch (message.kind, memory) {
      case (.proposal, nil):
        do { memory = try Self.memory(message.payload) } catch { throw error.beforeAnything }
      case (.pages, let ranges?):
        do throws(SnapshotError) {
          for start in stride(from: 0, to: message.payload.count, by: PageRecord.size) {
            let record = Array(message.payload[start...].prefix(PageRecord.size))
            guard record.count == PageRecord.size else { throw .malformed("a part of a page") }
            let page = try PageRecord.page(in: record, of: ranges)
            pages[page.address] = page
          }
        } catch { throw .snapshot(error) }
      case (.state, let ranges?):
        let guest: PortableGuest<Work>
        do { guest = try PortableGuest(decoding: message.payload) } catch { throw .snapshot(error) }
        guard guest.machine.memory == ranges else { throw .protocolError("other memory than was proposed") }
        return Snapshot(guest: guest, pages: pages.values.sorted { $0.address < $1.address })
      case (.abort, nil): throw .nobody("the source keeps its guest: \(message.text)")
      case (.abort, _): throw .ended("the source keeps its guest: \(message.text)")
      case (_, nil): throw .nobody("it said \(message.kind) at the wrong time")
      default: throw .protocolError("\(message.kind) at the wrong time")
      }
    }
  }

  private static func memory(_ payload: [UInt8]) throws(TransferError) -> [GuestPhysicalRange] {
    let ranges: [GuestPhysicalRange]
    do { ranges = try JSONDecoder().decode([GuestPhysicalRange].self, from: Data(payload)) } catch {
      throw .protocolError("\(error)")
    }
    do { try ranges.checkAsMemory() } catch { throw .snapshot(error) }
    return ranges
  }

  /// What is to be done with a guest that is whole here.
  public enum TakeOver: Equatable, Sendable {
    /// Run it: the source has let go of it.
    case run
    /// Run it: the source is dead, and nobody else has it.
    case runAlone
    /// Forget it: the source keeps it, for this reason.
    case forget(String)
  }

  /// Says that the guest is whole here, and waits for the source's word; who is cancelled by then leaves the guest to the source.
  public func takeOver(unless isCancelled: () -> Bool) -> TakeOver {
    // A source that cannot be told any more has either said something before it closed, or is dead: reading tells.
    try? connection.send(Message(kind: .ready))
    do {
      let message = try connection.message()
      switch message.kind {
      case .commit where isCancelled(): return .forget("stopped on request before it ran here")
      case .commit:
        try? connection.send(Message(kind: .running))
        return .run
      case .abort: return .forget(message.text)
      default: return .forget("it said \(message.kind) instead of commit")
      }
    } catch .socket(let error) where error.isEndOfStream {
      return .runAlone
    } catch {
      return .forget("\(error)")
    }
  }

  /// Tells the source that its guest is not taken.
  public func refuse(_ reason: String) { try? connection.send(.reason(.refuse, reason)) }
}
