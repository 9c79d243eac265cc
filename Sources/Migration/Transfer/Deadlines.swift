// How long each side of a move waits in each phase before it gives up. The table is in docs/migration.md.

/// How long the two sides of a move wait for each other in each phase.
public struct Deadlines: Equatable, Sendable {
  /// The source, from its connection until it has read the offer: another source's proposal may come first.
  public var offer = Duration.seconds(20)
  /// The same where a command leads there, which may ask for a password first.
  public var commandOffer = Duration.seconds(120)
  /// The destination, from the connection until it has read the proposal.
  public var proposal = Duration.seconds(10)
  /// Both sides, while memory is copied, plus a time for the memory's size.
  public var copying = Duration.seconds(30)
  /// The destination, from its `ready` until the source's `commit` or `abort`.
  public var decision = Duration.seconds(10)
  /// How long the system may refuse to send a message that decides who has the guest.
  public var sending = Duration.seconds(10)
  /// The source, from its `commit` until the destination's `running` or `refuse`.
  public var answer = Duration.seconds(30)

  /// The lowest rate of copying memory in bytes per second, all rounds included.
  static let rate = 8 << 20

  /// The default deadlines.
  public init() {}

  /// How long copying a guest's memory may take: `bytes` bytes in every round.
  func copying(_ bytes: Int) -> Duration {
    copying + .milliseconds(bytes / (Self.rate / 1000) * PreCopyLimits.maximumRounds)
  }
}
