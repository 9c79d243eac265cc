// The destination's side of a migration. The states and what ends each: the table in docs/migration.md.
//
// Until it has said `ready` the guest is none of its business: whatever goes wrong, it forgets what came. Once it has
// said `ready` it holds a whole guest and all that running it takes, and waits for one of three things: `commit`, and
// it runs the guest; `abort`, and it forgets it; the end of the stream, which a living source does not cause without an
// `abort` before, and it runs the guest, which has nobody else. It says `running` before the guest's first instruction,
// so that the source lets go of it first; where it cannot say that to a source that lives, it does not run the guest.

import FoundationEssentials
public import Hypervisor

/// The destination's side of one migration.
public final class Receiver: Sendable {
  private let connection: Connection
  private let deadlines: Deadlines
  /// Until when the source must have proposed a guest.
  private let deadline: ContinuousClock.Instant

  /// Greets a source with what this host offers.
  ///
  /// - Throws: `TransferError` when it is gone.
  public convenience init(
    _ connection: consuming Connection, offering offer: HostOffer, deadlines: Deadlines = Deadlines(),
    unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    self.init(hearing: connection, deadlines: deadlines)
    let greeting = Message(kind: .offer, payload: try json(Greeting(offer)))
    do { try self.connection.send(greeting.bytes, by: deadline, unless: isCancelled) } catch {
      throw .socket(error.cause)
    }
  }

  /// A destination whose greeting has been said.
  init(hearing connection: consuming Connection, deadlines: Deadlines = Deadlines()) {
    self.connection = connection
    self.deadlines = deadlines
    deadline = .now + deadlines.proposal
  }

  /// Receives a guest: its memory, again and again where it changes, and in the end its state.
  ///
  /// `refusal` says why no guest can have such memory here, nil where one can. What is held is never more than that
  /// memory.
  ///
  /// - Throws: `TransferError`: the source is gone, silent, slow or has other plans, or what comes is no guest.
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
        guard guest.machine.memory == memory else { throw .protocolError("other memory than was proposed") }
        return Snapshot(guest: guest, pages: pages.values.sorted { $0.address < $1.address })
      case .abort: throw .ended("the source keeps its guest: \(message.text)")
      default: throw .protocolError("\(message.kind) at the wrong time")
      }
    }
  }

  /// The memory of the guest that is proposed.
  private func proposal(unless isCancelled: () -> Bool) throws(TransferError) -> [GuestPhysicalRange] {
    do throws(TransferError) {
      let message = try connection.message(by: deadline, unless: isCancelled)
      switch message.kind {
      case .proposal: break
      case .abort: throw .nobody("the source keeps its guest: \(message.text)")
      default: throw .nobody("it said \(message.kind) at the wrong time")
      }
      let ranges: [GuestPhysicalRange]
      do { ranges = try JSONDecoder().decode([GuestPhysicalRange].self, from: Data(message.payload)) } catch {
        throw .protocolError("\(error)".plain)
      }
      do { try ranges.checkAsMemory() } catch { throw .snapshot(error) }
      return ranges
    } catch { throw error.beforeAnything }
  }

  /// What is to be done with a guest that is whole here.
  public enum TakeOver: Equatable, Sendable {
    /// Run it: the source has let go of it.
    case run
    /// Run it: the source is dead, and nobody else has it.
    case runAlone
    /// Forget it, for this reason: the source keeps it, or does not say what it does.
    case forget(String)
  }

  /// Says that the guest is whole here, and waits for the source's word; who is cancelled by then leaves the guest to
  /// the source.
  ///
  /// All that running it takes must be there: from here on nothing may fail.
  public func takeOver(unless isCancelled: () -> Bool) -> TakeOver {
    let deadline = ContinuousClock.now + deadlines.word
    // A source that cannot be told has either said something before it closed, or is dead: reading tells.
    _ = connection.say(Message(kind: .ready), by: deadline)
    do throws(TransferError) {
      let message = try connection.message(by: deadline, unless: isCancelled)
      switch message.kind {
      case .commit where isCancelled(): return .forget("stopped on request before it ran here")
      case .commit: break
      case .abort: return .forget("the source keeps its guest: \(message.text)")
      default: return .forget("it said \(message.kind) instead of commit")
      }
    } catch {
      if case .socket(let error) = error, error.isEndOfStream { return .runAlone }
      // Whoever was stopped beyond the deadline has not looked: the source may have let go of the guest meanwhile.
      guard !isCancelled(), connection.hasCome(Message(kind: .commit)) else {
        return .forget("no word from the source: \(error)")
      }
    }
    return switch connection.say(Message(kind: .running), by: .now + deadlines.saying) {
    case .said: .run
    case .gone: .runAlone
    case .unsaid: .forget("the source could not be told that it runs here: the system takes no message")
    }
  }

  /// Tells the source that its guest is not taken.
  public func refuse(_ reason: String) { _ = connection.say(.reason(.refuse, reason), by: .now + .seconds(1)) }
}
