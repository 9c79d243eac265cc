// The source's side of a migration. docs/migration.md has a table of the states and what ends each.
//
// The source has the guest until `running` arrives. If anything fails before `commit`, the guest continues here, and
// the source sends `abort` before the stream ends: to a destination that holds a whole guest the end of the stream
// means that the source is dead, and it runs the guest. After `commit` two things decide: `running`, and the end of the
// stream, which a destination causes before `running` only if it does not run the guest. Silence decides nothing: then
// the guest must not continue here.
//
// Where something stands between the two sides, the end of the stream says nothing about the other side: a destination
// then runs a guest only on `commit`, and after `commit` the end decides as little as silence.

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
    /// When copying memory must end.
    var copying: ContinuousClock.Instant?
    /// Whether part of a message is on the stream: nothing can be sent after it, and the guest cannot be complete
    /// there.
    var isCut = false
    /// Whether the destination may hold a whole guest.
    var mayBeWhole = false
    /// Whether the end of the stream says nothing about the destination.
    var isForwarded = false
  }

  /// Connects to a destination that listens at a path.
  ///
  /// - Parameter isForwarded: whether the listener is not the destination itself, but a forwarder such as `ssh -L`.
  /// - Throws: `TransferError.socket` when no process that the rule accepts listens there.
  public convenience init(
    to path: FilePath, of peers: PeerRule = PeerRule(), isForwarded: Bool = false, deadlines: Deadlines = Deadlines(),
    unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    var connection: Connection
    do {
      connection = try Connection(to: path, of: peers, within: deadlines.offer, unless: isCancelled)
    } catch { throw .socket(error) }
    connection.isForwarded = isForwarded
    self.init(over: connection, deadlines: deadlines)
  }

  /// Starts a shell command whose standard input and output lead to the destination; SIGPIPE must be ignored.
  ///
  /// - Throws: `TransferError.socket` when it cannot be started.
  public convenience init(through command: [UInt8]) throws(TransferError) {
    var deadlines = Deadlines()
    deadlines.offer = deadlines.commandOffer
    do { self.init(over: try CarrierCommand.start(command), deadlines: deadlines) } catch { throw .socket(error) }
  }

  /// A source at one end of a stream.
  init(over connection: consuming Connection, deadlines: Deadlines = Deadlines()) {
    let isForwarded = connection.isForwarded
    self.connection = connection
    self.deadlines = deadlines
    progress.withLock { $0.isForwarded = isForwarded }
  }

  /// The destination's offer: its first message.
  ///
  /// - Throws: `TransferError` when it sends none, or has another version of the protocol.
  public func offer(unless isCancelled: () -> Bool = { false }) throws(TransferError) -> HostOffer {
    let message = try connection.message(by: .now + deadlines.offer, unless: isCancelled)
    switch message.kind {
    case .offer:
      let greeting = try Greeting(decoding: message.payload)
      if greeting.isForwarded == true { progress.withLock { $0.isForwarded = true } }
      return greeting.offer
    case .refuse: throw .ended("the destination refuses a guest: \(message.text)")
    default: throw .protocolError("\(message.kind) before its offer")
    }
  }

  /// Proposes a guest with this memory; the time for copying it starts now.
  ///
  /// - Throws: `TransferError` when the destination is gone.
  public func propose(
    memory: [GuestPhysicalRange], unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) {
    let deadline = ContinuousClock.now + deadlines.copying(memory.reduce(0) { $0 + $1.count })
    progress.withLock { $0.copying = deadline }
    if connection.isForwarded { try post(Message(kind: .forwarded), by: deadline, unless: isCancelled) }
    try post(Message(kind: .proposal, payload: try json(memory)), by: deadline, unless: isCancelled)
  }

  /// Sends pages, which replace those sent before; by default until copying must end.
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

  /// Sends a message that does not decide who has the guest.
  private func post(
    _ message: Message, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws(TransferError) {
    do throws(Connection.Cut) { try connection.send(message.bytes, by: deadline, unless: isCancelled) } catch {
      if error.sent > 0 { progress.withLock { $0.isCut = true } }
      throw reason(of: error.cause)
    }
  }

  /// Why a stream ended: the destination's reason, if it sent one before it closed.
  private func reason(of error: SocketError) -> TransferError {
    guard error.isEndOfStream, let last = try? connection.message(by: .now + .seconds(1)), last.kind == .refuse else {
      return .socket(error)
    }
    return .ended("the destination refuses the guest: \(last.text)")
  }

  // MARK: The hand-over

  /// The result of handing a guest over.
  public enum HandOver: Equatable, Sendable {
    /// It runs at the destination.
    case moved
    /// It stays here, for this reason.
    case kept(String)
    /// It was given up, and the destination does not say whether it runs: it must not continue here.
    case unknown(String)
  }

  /// Hands the guest over after all pages have been sent: first its state, then the guest itself.
  ///
  /// A destination that is not ready by `deadline` does not get it.
  public func handOver<Work>(
    _ guest: PortableGuest<Work>, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool = { false }
  ) -> HandOver {
    do {
      let state: [UInt8]
      do { state = try guest.encoded() } catch { throw TransferError.protocolError("\(error)") }
      try post(Message(kind: .state, payload: state), by: deadline, unless: isCancelled)
      // Not earlier: without the whole state the destination has no guest, and `abort` need not be repeated.
      progress.withLock { $0.mayBeWhole = true }
      let answer = try replyToState(by: deadline, unless: isCancelled)
      switch answer.kind {
      case .ready: break
      case .refuse: throw TransferError.ended("the destination refuses the guest: \(answer.text)")
      default: throw TransferError.protocolError("\(answer.kind) instead of ready")
      }
    } catch {
      abort("\(error)")
      return .kept("before the destination was ready: \(error)")
    }
    switch connection.deliver(Message(kind: .commit), by: .now + deadlines.sending) {
    case .delivered: return answer(unless: isCancelled)
    case .gone: return .kept("the destination was gone before it could take over")
    case .undelivered:
      let reason = "`commit` could not be sent to the destination: the system accepts no message"
      abort(reason)
      return .kept(reason)
    }
  }

  /// The destination's reply to the state.
  private func replyToState(
    by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws(TransferError) -> Message {
    do throws(TransferError) { return try connection.message(by: deadline, unless: isCancelled) } catch {
      guard case .socket(let cause) = error else { throw error }
      throw reason(of: cause)
    }
  }

  /// Waits for the answer to `commit`.
  private func answer(unless isCancelled: () -> Bool) -> HandOver {
    let deadline = ContinuousClock.now + deadlines.answer
    // After a cancel it waits one second more, because the answer may be on its way.
    var cancelled: ContinuousClock.Instant?
    func isOver() -> Bool {
      guard isCancelled() else { return false }
      if cancelled == nil { cancelled = .now }
      return cancelled.map { $0.duration(to: .now) > .seconds(1) } ?? false
    }
    while true {
      do throws(TransferError) {
        let message = try connection.message(by: deadline, unless: isOver)
        switch message.kind {
        case .running: return .moved
        case .refuse: return .kept("the destination did not take over: \(message.text)")
        // A violation of the protocol; the end of the stream would still mean that it does not run the guest.
        default: continue
        }
      } catch {
        switch error {
        case .socket(let error) where error.isEndOfStream && !progress.withLock(\.isForwarded):
          return .kept("the destination died before it took over")
        case .protocolError: continue
        default:
          return .unknown(
            "the destination was told to run the guest and has not confirmed it (\(error)); the guest does not continue "
              + "here, because it may run there")
        }
      }
    }
  }

  /// Tells the destination that the guest stays here; must be called before the stream ends, because the end alone
  /// means that the source is dead.
  ///
  /// To a destination that may hold the whole guest it is sent until it is delivered or the destination has closed. If
  /// neither happens, the destination is stopped or hostile, and the stream stays open as long as this process lives.
  public func abort(_ reason: String) {
    let (isCut, mayBeWhole) = progress.withLock { ($0.isCut, $0.mayBeWhole) }
    guard !isCut else { return }
    let limit = mayBeWhole ? deadlines.decision + deadlines.answer : .seconds(1)
    let delivery = connection.deliver(.reason(.abort, reason), by: .now + limit)
    if mayBeWhole, delivery == .undelivered { Self.heldOpen.withLock { $0.append(self) } }
  }

  /// The streams whose end the destination would misunderstand.
  private static let heldOpen = Mutex<[Sender]>([])
}

/// The destination's first message.
struct Greeting: Codable, Sendable {
  static let currentVersion = 1
  private var version = Self.currentVersion
  let offer: HostOffer
  /// Whether the destination knows that something stands between the two sides; nil where it knows of nothing.
  private(set) var isForwarded: Bool?

  init(_ offer: HostOffer, isForwarded: Bool = false) {
    self.offer = offer
    self.isForwarded = isForwarded ? true : nil
  }

  /// Reads a greeting.
  ///
  /// - Throws: `TransferError.protocolError` when it is invalid, or of another version.
  init(decoding payload: [UInt8]) throws(TransferError) {
    struct Head: Decodable { var version: Int }
    do {
      let version = try JSONDecoder().decode(Head.self, from: Data(payload)).version
      guard version == Self.currentVersion else {
        throw TransferError.protocolError("it has version \(version); this program has \(Self.currentVersion)")
      }
      self = try JSONDecoder().decode(Self.self, from: Data(payload))
      guard offer.isPlain else { throw TransferError.protocolError("an offer with control characters") }
    } catch let error as TransferError {
      throw error
    } catch {
      throw .protocolError("\(error)".plain)
    }
  }
}

/// A value as JSON.
///
/// - Throws: `TransferError.protocolError` when it cannot be encoded.
func json(_ value: some Encodable) throws(TransferError) -> [UInt8] {
  do { return Array(try JSONEncoder().encode(value)) } catch { throw .protocolError("\(error)") }
}
