// The source's side of a migration.
//
// The guest is the source's until `running` has come. Whatever goes wrong before that, the guest goes on here: a destination that is
// gone runs nothing. After `commit` there is one thing left that ends the waiting: `running`, or the end of the stream, which a
// destination does not close before it has said `running` unless it dies. A source that gives up before `commit` says `abort` first,
// for a destination that was ready takes the end of the stream for the source's death, and runs the guest.

import FoundationEssentials
public import Hypervisor

/// The source's side of one migration.
public final class Sender: Sendable {
  private let connection: Connection

  /// How long the destination may take for a message while it is its turn.
  private static let patience = Duration.seconds(10)

  /// Connects to a destination that waits at a path.
  ///
  /// Throws `TransferError.socket` when nobody waits there.
  public init(to path: String) throws(TransferError) {
    do { connection = try Connection(to: path) } catch { throw .socket(error) }
  }

  /// A source at one end of a stream.
  init(over connection: consuming Connection) { self.connection = connection }

  /// What the destination offers: the first that it says.
  ///
  /// Throws `TransferError` when it does not, or speaks another version of the protocol.
  public func offer(unless isCancelled: () -> Bool = { false }) throws(TransferError) -> HostOffer {
    let message = try connection.message(within: Self.patience, unless: isCancelled)
    switch message.kind {
    case .offer: return try Greeting(decoding: message.payload).offer
    case .refuse: throw .ended("the destination does not take a guest: \(message.text)")
    default: throw .protocolError("\(message.kind) before its offer")
    }
  }

  /// Says that a guest with this memory will come.
  ///
  /// Throws `TransferError` when the destination is gone.
  public func propose(memory: [GuestPhysicalRange]) throws(TransferError) {
    try connection.send(Message(kind: .proposal, payload: try json(memory)))
  }

  /// Sends pages; a page that was sent before is replaced.
  ///
  /// Throws `TransferError` when the destination is gone.
  public func send(_ pages: [GuestPage]) throws(TransferError) {
    for start in stride(from: 0, to: pages.count, by: Message.pagesInMessage) {
      var message = Message(kind: .pages)
      for page in pages[start...].prefix(Message.pagesInMessage) { PageRecord.append(page, to: &message.payload) }
      try connection.send(message)
    }
  }

  /// What became of a guest that was to be handed over.
  public enum HandOver: Equatable, Sendable {
    /// It runs at the destination.
    case moved
    /// It is still here, for this reason.
    case kept(String)
  }

  /// Hands the guest over: its state, all pages having been sent, and then the guest itself.
  public func handOver<Work>(_ guest: PortableGuest<Work>) -> HandOver {
    do {
      let state: [UInt8]
      do { state = try guest.encoded() } catch { throw TransferError.protocolError("\(error)") }
      try connection.send(Message(kind: .state, payload: state))
      let answer = try connection.message(within: Self.patience)
      switch answer.kind {
      case .ready: break
      case .refuse: return .kept("the destination does not take the guest: \(answer.text)")
      default: throw TransferError.protocolError("\(answer.kind) instead of ready")
      }
    } catch {
      abort("the source keeps the guest: \(error)")
      return .kept("before the destination was ready: \(error)")
    }
    do { try connection.send(Message(kind: .commit)) } catch {
      return .kept("the destination died before it could take over: \(error)")
    }
    if (try? connection.message())?.kind == .running { return .moved }
    connection.drain()
    return .kept("the destination died before it took over")
  }

  /// Tells the destination that the guest stays; to be called before the stream ends, which alone means that the source is dead.
  public func abort(_ reason: String) { try? connection.send(.reason(.abort, reason)) }
}

/// What the destination says first.
struct Greeting: Codable, Sendable {
  static let currentVersion = 1
  private var version = Self.currentVersion
  let offer: HostOffer

  init(_ offer: HostOffer) { self.offer = offer }

  /// Reads a greeting.
  ///
  /// Throws `TransferError.protocolError` when it is none, or of another version.
  init(decoding payload: [UInt8]) throws(TransferError) {
    struct Head: Decodable { var version: Int }
    do {
      let version = try JSONDecoder().decode(Head.self, from: Data(payload)).version
      guard version == Self.currentVersion else {
        throw TransferError.protocolError("version \(version) of it; this program speaks \(Self.currentVersion)")
      }
      self = try JSONDecoder().decode(Self.self, from: Data(payload))
    } catch let error as TransferError {
      throw error
    } catch {
      throw .protocolError("\(error)")
    }
  }
}

/// A value as JSON.
///
/// Throws `TransferError.protocolError` when it cannot be.
func json(_ value: some Encodable) throws(TransferError) -> [UInt8] {
  do { return Array(try JSONEncoder().encode(value)) } catch { throw .protocolError("\(error)") }
}
