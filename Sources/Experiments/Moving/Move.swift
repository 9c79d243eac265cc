// Moving a guest that runs here to another host: what is asked for, and what came of it.

public import Hypervisor
public import Migration
public import SystemPackage

/// Where a guest is to move, and on which terms.
public struct MoveRequest: Codable, Sendable {
  /// The path at which the destination waits: its bytes, for JSON holds no others than those of UTF-8 in a string.
  private let pathBytes: [UInt8]
  /// The policy there; nil for the guest's own.
  public var policy: PolicyName?
  /// Whether it may go where it is worse protected than here.
  public var acceptsUnprotected = false
  public var limits = PreCopyLimits()
  /// Whose process may wait there.
  public var peers = PeerRule()

  /// A move to the destination that waits at a path.
  public init(to path: FilePath) { pathBytes = path.bytes }

  /// The path at which the destination waits.
  public var path: FilePath { FilePath(bytes: pathBytes) }
}

/// A destination that waits, and what it has said that it offers.
struct Destination: Sendable {
  let sender: Sender
  let offer: HostOffer

  /// Connects.
  ///
  /// - Throws: `TransferError` when nobody waits there, or it does not say what it offers.
  init(_ request: MoveRequest, unless isCancelled: () -> Bool = { false }) throws(TransferError) {
    sender = try Sender(to: request.path, of: request.peers, unless: isCancelled)
    offer = try sender.offer(unless: isCancelled)
  }
}

/// What a move did.
public struct MoveReport: Codable, Sendable {
  public let destination: String
  /// What was given up, by this move and by those before.
  public let warnings: [String]
  public let rounds: [PreCopy.Round]
  /// How long the last pages were expected to take, at the rate of the rounds, when the guest was stopped.
  public let expectedDownTime: Duration
  /// Pages that were sent while it was stopped.
  public let lastPages: Int
  /// From the guest's last instruction here to the destination's word that it runs there.
  public let downTime: Duration
}

/// What came of a move.
public enum MoveResult: Codable, Sendable {
  /// The guest runs at the destination.
  case moved(MoveReport)
  /// It may not go there, for this reason; nothing has stopped or started for that.
  case refused(String)
  /// Something went wrong, and it goes on here.
  case failed(String)
  /// It ended here, or was stopped, before it could be moved.
  case ended(RunControl.Stop?)
  /// It was handed over, and the destination does not say that it has it, for this reason: it does not go on here.
  case unknown(String)
}
