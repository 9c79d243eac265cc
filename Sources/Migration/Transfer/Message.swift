// What the two sides of a migration say to each other, and how it goes over the stream: a kind, a checksum, a length, the payload.
//
//   source                                destination
//                                    <-   offer      what the host offers: HostOffer as JSON, and the protocol's version
//   proposal   the memory's ranges   ->              (the source has decided that the guest may go there)
//   pages      while the guest runs  ->
//   state      the guest has stopped ->
//                                    <-   ready      the guest is whole there, every register read back
//   commit     it is yours           ->
//                                    <-   running    it is mine
//
// Before that, where somebody else orders a running guest to move: `order` to the process that runs it, and its `answer`, JSON both.
//
// At any time: the source's `abort`, the destination's `refuse`, each with a reason. What follows from silence: see Sender and
// Receiver.

import Hypervisor

/// A message's kind, by its number on the stream.
enum MessageKind: UInt32, Sendable {
  case offer = 1
  case proposal
  case pages
  case state
  case ready
  case commit
  case running
  case refuse
  case abort
  case order
  case answer

  /// The longest payload in bytes that is received.
  var limit: Int {
    switch self {
    case .offer, .proposal, .order, .answer: 1 << 20
    case .pages: Message.pagesInMessage * PageRecord.size
    case .state: SnapshotHeader.maximumStateLength
    case .refuse, .abort: 1 << 14
    case .ready, .commit, .running: 0
    }
  }
}

/// One message.
struct Message: Equatable, Sendable {
  let kind: MessageKind
  var payload: [UInt8] = []

  /// At most as many pages go in one message.
  static let pagesInMessage = 64
  /// The kind (4 bytes), CRC-32C of the payload (4), its length (8).
  static let headerSize = 16

  /// A reason as a message.
  static func reason(_ kind: MessageKind, _ text: String) -> Message {
    Message(kind: kind, payload: Array(text.utf8.prefix(kind.limit)))
  }

  var text: String { String(decoding: payload, as: UTF8.self) }
}

/// A transfer that failed.
public enum TransferError: Error, Equatable, Sendable {
  /// The stream broke.
  case socket(SocketError)
  /// The other side speaks another language, or says something at the wrong time: what.
  case protocolError(String)
  /// The other side does not want to go on, for this reason.
  case ended(String)
  /// What came is no guest.
  case snapshot(SnapshotError)
  /// The other side proposed no guest, for this reason.
  case nobody(String)
}

extension TransferError {
  /// The error of a stream on which no guest has been proposed yet, unless it is this side that gave up.
  public var beforeAnything: TransferError {
    if case .socket(let error) = self, error.isCancellation { self } else { .nobody("\(self)") }
  }
}

extension TransferError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .socket(let error): "\(error)"
    case .protocolError(let what): "the other side does not keep to the protocol: \(what)"
    case .ended(let reason): reason
    case .snapshot(let error): "\(error)"
    case .nobody(let reason): "no guest was proposed: \(reason)"
    }
  }
}

extension Connection {
  /// Sends a message.
  ///
  /// Throws `TransferError.socket` when the other side is gone.
  func send(_ message: Message) throws(TransferError) {
    var header: [UInt8] = []
    header.append(number: message.kind.rawValue)
    header.append(number: CRC32C.of(message.payload))
    header.append(number: UInt64(message.payload.count))
    do { try send(header + message.payload) } catch { throw .socket(error) }
  }

  /// Receives the next message; waits for the whole of it at most `limit`, or for ever when that is nil.
  ///
  /// Throws `TransferError`: the stream broke, or what comes is no message.
  func message(
    within limit: Duration? = nil, unless isCancelled: () -> Bool = { false }
  ) throws(TransferError) -> Message {
    let deadline = limit.map { ContinuousClock.now + $0 }
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
    _ count: Int, by deadline: ContinuousClock.Instant?, unless isCancelled: () -> Bool
  ) throws(TransferError) -> [UInt8] {
    do { return try receive(count, by: deadline, unless: isCancelled) } catch { throw .socket(error) }
  }

  /// Waits until the other side has closed, whatever it says until then.
  func drain() {
    while true {
      do { _ = try receive(1) } catch { if error.isEndOfStream { return } }
    }
  }
}
