// Copying a guest's memory while it runs, in rounds: first all of it, then in each round what it has written since,
// until so little is left that the guest can be stopped for the rest.
// Facts: KVM API document, section 4.8 (KVM_GET_DIRTY_LOG); "Live Migration of Virtual Machines" (Clark et al., NSDI
// 2005), 3.1.

public import Hypervisor

/// When copying ends.
public struct PreCopyLimits: Codable, Sendable {
  /// How long the guest may be stopped in all: a source that has not received `ready` by then continues it.
  public var downTime: Duration
  /// The number of rounds after which the guest is stopped, whatever is left.
  public var rounds: Int

  /// The most rounds that there can be.
  public static let maximumRounds = 30

  /// Limits; the default is 300 ms, as QEMU has it, after at most 30 rounds.
  public init(downTime: Duration = .milliseconds(300), rounds: Int = Self.maximumRounds) {
    self.downTime = downTime
    self.rounds = min(rounds, Self.maximumRounds)
  }

  /// The valid down times.
  static let possibleDownTimes = Duration.milliseconds(1)...Duration.seconds(1000)

  /// Reads limits, which may be invalid.
  ///
  /// - Throws: `DecodingError` when they are out of range.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    downTime = try container.decode(Duration.self, forKey: .downTime)
    rounds = try container.decode(Int.self, forKey: .rounds)
    guard Self.possibleDownTimes.contains(downTime) else {
      throw DecodingError.dataCorruptedError(
        forKey: .downTime, in: container, debugDescription: "the down time must be from 1 ms to 1000 s")
    }
    guard (1...Self.maximumRounds).contains(rounds) else {
      throw DecodingError.dataCorruptedError(
        forKey: .rounds, in: container, debugDescription: "the rounds must be 1 to \(Self.maximumRounds)")
    }
  }

  private enum CodingKeys: String, CodingKey { case downTime, rounds }

  /// The part of the down time for the last pages; the rest is for the state and the destination's work.
  var timeForLastPages: Duration { downTime / 10 }
}

/// A copy of a running guest's memory to a destination, in progress.
public struct PreCopy: ~Copyable, Sendable {
  /// One round.
  public struct Round: Codable, Equatable, Sendable {
    /// Pages sent.
    public let pages: Int
    public let duration: Duration
    /// Pages that the guest has written since, to be sent again.
    public let dirtied: Int
  }

  private var view: MemoryView
  /// Pages whose latest content has not been sent.
  private var left: Set<GuestPhysicalAddress> = []
  public private(set) var rounds: [Round] = []

  /// A copy of this memory, whose dirty log must be on.
  public init(of view: consuming MemoryView) { self.view = view }

  /// How long the remaining pages would take at the rate of the rounds so far.
  public var expectedDownTime: Duration {
    let sent = rounds.reduce(0) { $0 + $1.pages }
    let time = rounds.reduce(Duration.zero) { $0 + $1.duration }
    return sent == 0 ? .zero : time / sent * left.count
  }

  /// Copies while the guest runs, until the remaining pages fit the limits or `isCancelled` returns true.
  ///
  /// - Throws: `TransferError` when the destination is gone; `KVMError` when KVM does not report what was written.
  public mutating func copy(
    to sender: Sender, memory: [GuestPhysicalRange], limits: PreCopyLimits, isCancelled: () -> Bool
  ) throws {
    // The first round copies everything, so the log's present contents do not matter.
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

  /// Sends the remaining pages of a stopped guest, until `deadline`, and returns their number.
  ///
  /// - Throws: What `copy` throws.
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
