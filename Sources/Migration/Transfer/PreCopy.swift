// Copying a guest's memory while it runs, in rounds: first all of it, then again and again what it has written
// meanwhile, until so little is left that it can be stopped for the rest.
// Facts: KVM API document, section 4.8 (KVM_GET_DIRTY_LOG); "Live Migration of Virtual Machines" (Clark et al., NSDI
// 2005), 3.1.

public import Hypervisor

/// How long copying may go on, and when it has done enough.
public struct PreCopyLimits: Codable, Sendable {
  /// How long the guest may be stopped in all: a source that has not been told `ready` by then takes it back.
  public var downTime: Duration
  /// After so many rounds the guest is stopped, whatever is left.
  public var rounds: Int

  /// The most rounds that there can be.
  public static let maximumRounds = 30

  /// Limits; the default is 300 ms, as QEMU has it, after at most 30 rounds.
  public init(downTime: Duration = .milliseconds(300), rounds: Int = Self.maximumRounds) {
    self.downTime = downTime
    self.rounds = min(rounds, Self.maximumRounds)
  }

  /// How long a guest may be asked to stop.
  static let possibleDownTimes = Duration.milliseconds(1)...Duration.seconds(1000)

  /// Reads limits, which somebody else may have made up.
  ///
  /// - Throws: `DecodingError` where no guest is moved within them.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    downTime = try container.decode(Duration.self, forKey: .downTime)
    rounds = try container.decode(Int.self, forKey: .rounds)
    guard Self.possibleDownTimes.contains(downTime) else {
      throw DecodingError.dataCorruptedError(
        forKey: .downTime, in: container, debugDescription: "a down time from 1 ms to 1000 s is possible")
    }
    guard (1...Self.maximumRounds).contains(rounds) else {
      throw DecodingError.dataCorruptedError(
        forKey: .rounds, in: container, debugDescription: "1 to \(Self.maximumRounds) rounds are possible")
    }
  }

  private enum CodingKeys: String, CodingKey { case downTime, rounds }

  /// What of the down time the last pages may take: the rest is for the state, and for the destination's own work.
  var timeForLastPages: Duration { downTime / 10 }
}

/// A copy of a running guest's memory to a destination, under way.
public struct PreCopy: ~Copyable, Sendable {
  /// One round.
  public struct Round: Codable, Equatable, Sendable {
    /// Pages sent.
    public let pages: Int
    public let duration: Duration
    /// Pages that the guest has written meanwhile, to be sent again.
    public let dirtied: Int
  }

  private var view: MemoryView
  /// Pages whose last content has not been sent.
  private var left: Set<GuestPhysicalAddress> = []
  public private(set) var rounds: [Round] = []

  /// A copy of this memory, whose dirty log must be on.
  public init(of view: consuming MemoryView) { self.view = view }

  /// How long the pages that are left would take at the rate of the rounds so far.
  public var expectedDownTime: Duration {
    let sent = rounds.reduce(0) { $0 + $1.pages }
    let time = rounds.reduce(Duration.zero) { $0 + $1.duration }
    return sent == 0 ? .zero : time / sent * left.count
  }

  /// Copies while the guest runs, until the pages left fit the limits, or `isCancelled` says so.
  ///
  /// - Throws: `TransferError` when the destination is gone; `KVMError` when KVM does not tell what was written.
  public mutating func copy(
    to sender: Sender, memory: [GuestPhysicalRange], limits: PreCopyLimits, isCancelled: () -> Bool
  ) throws {
    // What stands in the log from before is in the first round anyway.
    _ = try view.takeDirtyPages()
    left = Set(memory.flatMap(\.pageAddresses))
    var skippingZeroes = true
    while !isCancelled() {
      let addresses = left.sorted()
      left = []
      let clock = ContinuousClock()
      var sent = 0
      let duration = try clock.measure {
        sent = try send(addresses, skippingZeroes: skippingZeroes, to: sender, unless: isCancelled)
      }
      skippingZeroes = false
      left = Set(try view.takeDirtyPages())
      rounds.append(Round(pages: sent, duration: duration, dirtied: left.count))
      // A guest that writes as fast as it is copied gains nothing from one more round.
      let isStuck = rounds.count > 2 && rounds.suffix(3).allSatisfy { $0.dirtied >= $0.pages && $0.pages > 0 }
      if expectedDownTime <= limits.timeForLastPages || rounds.count >= limits.rounds || isStuck { return }
    }
  }

  /// Sends what is left of a guest that has stopped, until `deadline`; gives the number of pages.
  ///
  /// - Throws: What `copy` does.
  public mutating func finish(
    to sender: Sender, by deadline: ContinuousClock.Instant, unless isCancelled: () -> Bool
  ) throws -> Int {
    let addresses = left.union(try view.takeDirtyPages()).sorted()
    left = []
    return try send(addresses, skippingZeroes: false, to: sender, by: deadline, unless: isCancelled)
  }

  private func send(
    _ addresses: [GuestPhysicalAddress], skippingZeroes: Bool, to sender: Sender,
    by deadline: ContinuousClock.Instant? = nil, unless isCancelled: () -> Bool
  ) throws(TransferError) -> Int {
    let pages = addresses.compactMap { view.page(at: $0) }.filter { !skippingZeroes || !$0.isZero }
    try sender.send(pages, by: deadline, unless: isCancelled)
    return pages.count
  }
}
