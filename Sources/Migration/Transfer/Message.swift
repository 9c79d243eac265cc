// The messages of a migration, and their form on the stream: a kind, a checksum, a length, the payload.
//
//   source                                destination
//                                    <-   offer      what the host offers (HostOffer as JSON), the protocol's version
//   forwarded                        ->              (only where the stream may end while both sides live)
//   proposal   the memory's ranges   ->              (the source has decided that the guest may go there)
//   pages      while the guest runs  ->
//   state      the guest has stopped ->
//                                    <-   ready      the guest is whole there, every register read back
//   commit     it is yours           ->
//                                    <-   running    it is mine
//
// Before that, if another process orders a running guest to move: `order` to the process that runs it, and its
// `answer`, both JSON.
//
// At any time: the source's `abort` and the destination's `refuse`, each with a reason. docs/migration.md has a table
// of what silence and the end of the stream mean.

import Hypervisor

/// A message's kind with its number on the stream.
enum MessageKind: UInt32, Sendable {
  case offer = 1, proposal, pages, state, ready, commit, running, refuse, abort, order, answer, forwarded

  /// The longest payload in bytes that is received.
  var limit: Int {
    switch self {
    case .offer, .proposal, .order, .answer: 1 << 20
    case .pages: Message.pagesInMessage * PageRecord.size
    case .state: SnapshotHeader.maximumStateLength
    case .refuse, .abort: 1 << 14
    case .ready, .commit, .running, .forwarded: 0
    }
  }
}

/// One message.
struct Message: Equatable, Sendable {
  let kind: MessageKind
  var payload: [UInt8] = []

  /// The most pages in one message.
  static let pagesInMessage = 64
  /// The kind (4 bytes), CRC-32C of the payload (4), its length (8).
  static let headerSize = 16

  /// A reason as a message.
  static func reason(_ kind: MessageKind, _ text: String) -> Message {
    Message(kind: kind, payload: Array(text.utf8.prefix(kind.limit)))
  }

  /// The reason in it as one printable line.
  var text: String { String(decoding: payload, as: UTF8.self).plain }

  /// The message on the stream.
  var bytes: [UInt8] {
    var header: [UInt8] = []
    header.append(number: kind.rawValue)
    header.append(number: CRC32C.of(payload))
    header.append(number: UInt64(payload.count))
    return header + payload
  }
}

/// A transfer that failed.
public enum TransferError: Error, Equatable, Sendable {
  /// The stream broke.
  case socket(SocketError)
  /// The other side broke the protocol: how.
  case protocolError(String)
  /// The other side ended the move, for this reason.
  case ended(String)
  /// The state or memory that arrived is invalid.
  case snapshot(SnapshotError)
  /// No guest arrived, for this reason.
  case nobody(String)
  /// The guest was handed over and its fate is unknown, for this reason: it must not continue here.
  case unknown(String)
}

extension TransferError {
  /// The error of a stream that ended before a guest was proposed, unless this side gave up.
  public var beforeAnything: TransferError {
    switch self {
    case .socket(let error) where error.isCancellation: self
    case .nobody: self
    default: .nobody("\(self)")
    }
  }
}

extension TransferError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .socket(let error): "\(error)"
    case .protocolError(let what): "the other side broke the protocol: \(what)"
    case .ended(let reason): reason
    case .snapshot(let error): "\(error)"
    case .nobody(let reason): "no guest arrived: \(reason)"
    case .unknown(let reason): reason
    }
  }
}

extension Connection {
  /// Receives the next message completely until `deadline`.
  ///
  /// - Throws: `TransferError` when the stream breaks or the message is invalid.
  func message(
    by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) -> Message {
    let header = try bytes(Message.headerSize, by: deadline, unless: isCancelled)
    let number = header.number(at: 0, as: UInt32.self)
    let length = header.number(at: 8, as: UInt64.self)
    guard let kind = MessageKind(rawValue: number), length <= UInt64(kind.limit) else {
      throw .protocolError("a message of kind \(number) with \(length) bytes")
    }
    let payload = try bytes(Int(length), by: deadline, unless: isCancelled)
    guard CRC32C.of(payload) == header.number(at: 4, as: UInt32.self) else {
      throw .protocolError("the checksum of a message of kind \(kind) is wrong")
    }
    return Message(kind: kind, payload: payload)
  }

  private func bytes(
    _ count: Int, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws(TransferError) -> [UInt8] {
    do { return try receive(count, by: deadline, unless: isCancelled) } catch { throw .socket(error) }
  }
}
