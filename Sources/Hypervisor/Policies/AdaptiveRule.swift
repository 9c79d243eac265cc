// When `adaptive` opens the register to the guest and when it closes it again: rent or buy, in both directions.
// Facts: the ski-rental problem and its two-sided form, a metrical task system of two states (Borodin, Linial and Saks,
// "An Optimal On-Line Algorithm for Metrical Task System", Journal of the ACM 39, 1992). The bound is derived in
// docs/adaptive.md.

/// The rule of the policy `adaptive`: it sees accesses (while closed) and entries, and says when to switch.
///
/// While closed, the rent is what the trapped accesses cost beyond what the exits would cost if it were open, never
/// below zero; when it reaches the price of switching there and back, the register is opened. While open, accesses
/// cannot be seen, and the rent is what the exits cost more; when it reaches the patience, the register is closed, to
/// see whether the guest still writes.
///
/// With W accesses and N other exits, all costs as given, it never pays more than
/// min(access · W, exit · N) + 2 · exit · N + `AdaptiveCosts.oneSwitch`.
///
/// Invariant: the patience is at least price + access, what a closing costs that was wrong.
@frozen public struct AdaptiveRule: Sendable {
  public let costs: AdaptiveCosts
  /// Whether the register is the guest's now.
  public private(set) var isOpen = false
  /// How often the register was opened, and closed.
  public internal(set) var opens: UInt64 = 0
  public internal(set) var closes: UInt64 = 0
  /// What the present state has cost more than the other one would have.
  @usableFromInline var rent = 0
  /// What an entry adds to the rent.
  @usableFromInline var step: Int
  /// What an access adds; the entry after it is no other exit, so its step is made good.
  @usableFromInline let charge: Int
  /// The rent at which to switch.
  @usableFromInline var limit: Int
  /// The exits since the last switch, accesses left out.
  @usableFromInline var exits = 0
  /// The rent at which the next open stretch ends.
  var patience: Int
  /// The open stretch that goes on when the register has been opened again, for a guest that comes from elsewhere.
  var reopening: (rent: Int, exits: Int)?

  /// A register that is closed; it stays so where trapping costs nothing more.
  public init(_ costs: AdaptiveCosts) {
    self.costs = costs
    step = -costs.exit
    charge = costs.access + costs.exit
    limit = costs.access > 0 ? costs.price : .max
    patience = costs.price + costs.access
  }

  /// Counts a trapped access.
  @inlinable @inline(__always) public mutating func access() {
    exits &-= 1
    rent &+= charge
  }

  /// Counts an entry; whether the register should be switched before it.
  @inlinable @inline(__always) public mutating func entry() -> Bool {
    exits &+= 1
    rent = max(0, rent &+ step)
    return rent >= limit
  }

  /// The register was opened.
  ///
  /// The closed stretch that ends here should have saved the price of its two switches. One that did not was wrong, and
  /// the next will come half as soon; one that did makes the patience what it was at first.
  public mutating func open() {
    if let stretch = reopening {
      reopening = nil
      isOpen = true
      start(step: costs.exit, limit: costs.exit > 0 ? patience : .max)
      (rent, exits) = (min(stretch.rent, limit - 1), stretch.exits)
      return
    }
    let first = costs.price + costs.access
    let wasWrong = closes > 0 && exits.multipliedReportingOverflow(by: costs.exit).partialValue < costs.price
    patience = wasWrong ? min(patience * 2, Self.longest) : first
    opens += 1
    isOpen = true
    start(step: costs.exit, limit: costs.exit > 0 ? patience : .max)
  }

  /// The register was closed.
  public mutating func close() {
    closes += 1
    isOpen = false
    start(step: -costs.exit, limit: costs.price)
  }

  /// The register does not take the guest's value; another price's worth of rent comes before the next attempt.
  public mutating func refuse() {
    if reopening != nil { closes += 1 }
    reopening = nil
    start(step: step, limit: limit)
  }

  private mutating func start(step: Int, limit: Int) {
    rent = 0
    exits = 0
    self.step = step
    self.limit = limit
  }

  /// Far from overflow, and longer than any guest runs.
  static let longest = Int.max / 4
}
