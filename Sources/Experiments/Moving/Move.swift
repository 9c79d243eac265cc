// The request and the result of moving a running guest to another host.

public import Hypervisor
public import Migration
public import SystemPackage

/// A request to move a guest.
public struct MoveRequest: Codable, Sendable {
  /// Where the destination is; bytes, because a JSON string can hold only UTF-8.
  enum Place: Codable {
    /// The path of its socket.
    case path([UInt8])
    /// The shell command that leads there.
    case command([UInt8])
  }

  let place: Place
  /// Whether the socket belongs to a forwarder such as `ssh -L`, which may end while both sides live.
  public var isForwarded = false
  /// The policy at the destination; nil for the guest's own.
  public var policy: PolicyName?
  /// Whether the guest may go where it is worse protected than here.
  public var acceptsUnprotected = false
  public var limits = PreCopyLimits()
  /// Whose process may be the destination.
  public var peers = PeerRule()

  /// A move to the destination that waits at a path.
  public init(to path: FilePath) { place = .path(path.bytes) }

  /// A move to the destination at the other end of a shell command's standard input and output.
  public init(through command: [UInt8]) { place = .command(command) }
}

/// A connected destination and its offer.
struct Destination: Sendable {
  let sender: Sender
  let offer: HostOffer

  /// Connects.
  ///
  /// - Throws: `TransferError` when nobody waits there, or when no offer comes.
  init(_ request: MoveRequest, unless isCancelled: () -> Bool = { false }) throws(TransferError) {
    switch request.place {
    case .path(let bytes):
      sender = try Sender(
        to: FilePath(bytes: bytes), of: request.peers, isForwarded: request.isForwarded, unless: isCancelled)
    case .command(let command): sender = try Sender(through: command)
    }
    offer = try sender.offer(unless: isCancelled)
  }
}

/// The report of a move.
public struct MoveReport: Codable, Sendable {
  public let destination: String
  /// What the guest lost by this move and earlier ones.
  public let warnings: [String]
  public let rounds: [PreCopy.Round]
  /// The time that the last pages were expected to take, by the rate of the rounds, when the guest was stopped.
  public let expectedDownTime: Duration
  /// The pages that were sent while it was stopped.
  public let lastPages: Int
  /// From the guest's last instruction here to the destination's message that it runs there.
  public let downTime: Duration

  /// The memory that the rounds sent, in bytes per second; nil where they sent nothing.
  public var bytesPerSecond: Double? {
    let pages = rounds.reduce(0) { $0 + $1.pages }
    let seconds = rounds.reduce(Duration.zero) { $0 + $1.duration } / .seconds(1)
    return pages > 0 && seconds > 0 ? Double(pages) * 4096 / seconds : nil
  }
}

/// The result of a move.
public enum MoveResult: Codable, Sendable {
  /// The guest runs at the destination.
  case moved(MoveReport)
  /// The guest may not go there, for this reason; it was not interrupted.
  case refused(String)
  /// The move failed, and the guest continues here.
  case failed(String)
  /// The guest ended here, or was stopped, before it could be moved.
  case ended(RunControl.Stop?)
  /// The guest was handed over and the destination did not confirm it, for this reason. It does not continue here.
  case unknown(String)
}
