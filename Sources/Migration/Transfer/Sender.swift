// The source's side of a migration. The states and what ends each: the table in docs/migration.md.
//
// The guest is the source's until `running` has come. Whatever goes wrong before `commit`, the guest goes on here, and
// the destination is told `abort` before the stream ends: a destination that holds a whole guest takes the end of the
// stream for the source's death, and runs it. After `commit` two things say what became of the guest: `running`, and
// the end of the stream, which a destination does not cause before `running` unless it does not run it. Silence says
// nothing: then the guest must not go on here.

import FoundationEssentials
public import Hypervisor
import Synchronization
public import SystemPackage

/// The source's side of one migration.
public final class Sender: Sendable {
  private let connection: Connection
  private let deadlines: Deadlines
  private let progress = Mutex(Progress())

  private struct Progress {
    /// Until when memory may be copied.
    var copying: ContinuousClock.Instant?
    /// Whether half of a message is on the stream: nothing can be said after that, and no guest can have come whole.
    var isCut = false
    /// Whether the destination may hold a whole guest.
    var mayBeWhole = false
  }

  /// Connects to a destination that waits at a path.
  ///
  /// - Throws: `TransferError.socket` when nobody waits there whom the rule takes.
  public init(
    to path: FilePath, of peers: PeerRule = PeerRule(), deadlines: Deadlines = Deadlines(),
    unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    do {
      connection = try Connection(to: path, of: peers, within: deadlines.offer, unless: isCancelled)
    } catch { throw .socket(error) }
    self.deadlines = deadlines
  }

  /// A source at one end of a stream.
  init(over connection: consuming Connection, deadlines: Deadlines = Deadlines()) {
    self.connection = connection
    self.deadlines = deadlines
  }

  /// What the destination offers: the first that it says.
  ///
  /// - Throws: `TransferError` when it does not, or speaks another version of the protocol.
  public func offer(unless isCancelled: () -> Bool = { false }) throws(TransferError) -> HostOffer {
    let message = try connection.message(by: .now + deadlines.offer, unless: isCancelled)
    switch message.kind {
    case .offer: return try Greeting(decoding: message.payload).offer
    case .refuse: throw .ended("the destination does not take a guest: \(message.text)")
    default: throw .protocolError("\(message.kind) before its offer")
    }
  }

  /// Says that a guest with this memory will come; from now on the time for copying it runs.
  ///
  /// - Throws: `TransferError` when the destination is gone.
  public func propose(
    memory: [GuestPhysicalRange], unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    let deadline = ContinuousClock.now + deadlines.copying(memory.reduce(0) { $0 + $1.count })
    progress.withLock { $0.copying = deadline }
    try post(Message(kind: .proposal, payload: try json(memory)), by: deadline, unless: isCancelled)
  }

  /// Sends pages, by default as long as copying may take; a page that was sent before is replaced.
  ///
  /// - Throws: `TransferError` when the destination is gone, or the time is up.
  public func send(
    _ pages: [GuestPage], by deadline: ContinuousClock.Instant? = nil, unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    let deadline = deadline ?? progress.withLock { $0.copying } ?? .now + deadlines.copying
    for start in stride(from: 0, to: pages.count, by: Message.pagesInMessage) {
      var message = Message(kind: .pages)
      for page in pages[start...].prefix(Message.pagesInMessage) { PageRecord.append(page, to: &message.payload) }
      try post(message, by: deadline, unless: isCancelled)
    }
  }

  /// Sends a message that decides nothing.
  private func post(
    _ message: Message, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws(TransferError) {
    do throws(Connection.Cut) { try connection.send(message.bytes, by: deadline, unless: isCancelled) } catch {
      if error.sent > 0 { progress.withLock { $0.isCut = true } }
      throw reason(of: error.cause)
    }
  }

  /// Why a stream has ended: what the destination said before it closed, where it said something.
  private func reason(of error: SocketError) -> TransferError {
    guard error.isEndOfStream, let last = try? connection.message(by: .now + .seconds(1)), last.kind == .refuse else {
      return .socket(error)
    }
    return .ended("the destination does not take the guest: \(last.text)")
  }

  // MARK: The hand-over

  /// What became of a guest that was to be handed over.
  public enum HandOver: Equatable, Sendable {
    /// It runs at the destination.
    case moved
    /// It is still here, for this reason.
    case kept(String)
    /// It has been given away, and the destination does not say whether it has it: it must not go on here.
    case unknown(String)
  }

  /// Hands the guest over: its state, all pages having been sent, and then the guest itself.
  ///
  /// A destination that is not ready by `deadline` does not get it.
  public func handOver<Work>(
    _ guest: PortableGuest<Work>, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool = { false }
  ) -> HandOver {
    do {
      let state: [UInt8]
      do { state = try guest.encoded() } catch { throw TransferError.protocolError("\(error)") }
      try post(Message(kind: .state, payload: state), by: deadline, unless: isCancelled)
      // Only now: of a state that did not go out whole, no guest can come, and nobody is to be told for long.
      progress.withLock { $0.mayBeWhole = true }
      let answer = try word(by: deadline, unless: isCancelled)
      switch answer.kind {
      case .ready: break
      case .refuse: throw TransferError.ended("the destination does not take the guest: \(answer.text)")
      default: throw TransferError.protocolError("\(answer.kind) instead of ready")
      }
    } catch {
      abort("\(error)")
      return .kept("before the destination was ready: \(error)")
    }
    switch connection.say(Message(kind: .commit), by: .now + deadlines.saying) {
    case .said: return answer(unless: isCancelled)
    case .gone: return .kept("the destination was gone before it could take over")
    case .unsaid:
      let reason = "the destination could not be told to take over: the system takes no message"
      abort(reason)
      return .kept(reason)
    }
  }

  /// What the destination says of the state.
  private func word(
    by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws(TransferError) -> Message {
    do throws(TransferError) { return try connection.message(by: deadline, unless: isCancelled) } catch {
      guard case .socket(let cause) = error else { throw error }
      throw reason(of: cause)
    }
  }

  /// Waits for the word of a destination that has been told to take over.
  private func answer(unless isCancelled: () -> Bool) -> HandOver {
    let deadline = ContinuousClock.now + deadlines.answer
    // Whoever is asked to stop looks a moment longer: the answer is on its way.
    var asked: ContinuousClock.Instant?
    func isOver() -> Bool {
      guard isCancelled() else { return false }
      if asked == nil { asked = .now }
      return asked.map { $0.duration(to: .now) > .seconds(1) } ?? false
    }
    while true {
      do throws(TransferError) {
        let message = try connection.message(by: deadline, unless: isOver)
        switch message.kind {
        case .running: return .moved
        case .refuse: return .kept("the destination did not take over: \(message.text)")
        // It does not keep to the protocol; the end of the stream still says that it does not run the guest.
        default: continue
        }
      } catch {
        switch error {
        case .socket(let error) where error.isEndOfStream: return .kept("the destination died before it took over")
        case .protocolError: continue
        default:
          return .unknown(
            "the destination was told to take the guest over, and does not say that it has (\(error)); it does not go on "
              + "here, because it may run there")
        }
      }
    }
  }

  /// Tells the destination that the guest stays; to be called before the stream ends, which alone means that the source
  /// is dead.
  ///
  /// A destination that may hold the whole guest is told until it has heard it, or has given up waiting and is
  /// gone. One that does neither is stopped, or means no good: the stream to it stays open for as long as this process
  /// lives.
  public func abort(_ reason: String) {
    let (isCut, mayBeWhole) = progress.withLock { ($0.isCut, $0.mayBeWhole) }
    guard !isCut else { return }
    let limit = mayBeWhole ? deadlines.word + deadlines.answer : .seconds(1)
    let said = connection.say(.reason(.abort, reason), by: .now + limit)
    if mayBeWhole, said == .unsaid { Self.heldOpen.withLock { $0.append(self) } }
  }

  /// The streams whose end would say what is not so.
  private static let heldOpen = Mutex<[Sender]>([])
}

/// What the destination says first.
struct Greeting: Codable, Sendable {
  static let currentVersion = 1
  private var version = Self.currentVersion
  let offer: HostOffer

  init(_ offer: HostOffer) { self.offer = offer }

  /// Reads a greeting.
  ///
  /// - Throws: `TransferError.protocolError` when it is none, or of another version.
  init(decoding payload: [UInt8]) throws(TransferError) {
    struct Head: Decodable { var version: Int }
    do {
      let version = try JSONDecoder().decode(Head.self, from: Data(payload)).version
      guard version == Self.currentVersion else {
        throw TransferError.protocolError("version \(version) of it; this program speaks \(Self.currentVersion)")
      }
      self = try JSONDecoder().decode(Self.self, from: Data(payload))
      guard offer.isPlain else { throw TransferError.protocolError("an offer with words that cannot be printed") }
    } catch let error as TransferError {
      throw error
    } catch {
      throw .protocolError("\(error)".plain)
    }
  }
}

/// A value as JSON.
///
/// - Throws: `TransferError.protocolError` when it cannot be.
func json(_ value: some Encodable) throws(TransferError) -> [UInt8] {
  do { return Array(try JSONEncoder().encode(value)) } catch { throw .protocolError("\(error)") }
}
