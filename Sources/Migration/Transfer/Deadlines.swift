// How long each phase of a move may take: one deadline each, beyond which whoever waits gives up. docs/migration.md has
// the table.

/// How long the two sides of a move wait for each other, phase by phase.
public struct Deadlines: Equatable, Sendable {
  /// The source, from its connection until it has read the whole offer: another source's proposal may come first.
  public var offer = Duration.seconds(20)
  /// The destination, from the connection until it has read the whole proposal.
  public var proposal = Duration.seconds(10)
  /// Either side, while memory is copied beside the running guest, before the memory's own size counts.
  public var copying = Duration.seconds(30)
  /// The destination, from its `ready` until the source's word.
  public var word = Duration.seconds(10)
  /// How long a message that decides who has the guest is tried where the system does not take it.
  public var saying = Duration.seconds(10)
  /// The source, from its `commit` until the destination's word.
  public var answer = Duration.seconds(30)

  /// The rate in bytes per second that memory must be copied with, all rounds included.
  static let rate = 8 << 20

  /// The usual ones.
  public init() {}

  /// How long all copying of a guest's memory may take: `bytes` bytes, as often as there are rounds.
  func copying(_ bytes: Int) -> Duration {
    copying + .milliseconds(bytes / (Self.rate / 1000) * PreCopyLimits.maximumRounds)
  }
}
