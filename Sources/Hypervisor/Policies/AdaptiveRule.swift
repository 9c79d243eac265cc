// When `adaptive` opens the register to the guest and when it closes it again: the ski-rental rule in both directions.
// Facts: the ski-rental problem and its two-sided form, a metrical task system of two states (Borodin, Linial and Saks,
// "An Optimal On-Line Algorithm for Metrical Task System", Journal of the ACM 39, 1992). The bound is derived in
// docs/adaptive.md.

/// The rule of the policy `adaptive`: it counts accesses (while closed) and entries, and says when to switch.
///
/// While closed, the rent is what the trapped accesses cost beyond what the exits would cost with an open register,
/// never below zero; when it reaches the price of switching there and back, the register is opened. While open,
/// accesses cannot be counted, and the rent is the extra cost of the exits; when it reaches `openLimit`, the register
/// is closed, to find out whether the guest still writes.
///
/// With W accesses and N other exits, all costs as given, it never pays more than
/// min(access · W, exit · N) + 2 · exit · N + `AdaptiveCosts.oneSwitch`.
///
/// Invariant: `openLimit` is at least price + access, the cost of closing by mistake.
@frozen public struct AdaptiveRule: Sendable {
  public let costs: AdaptiveCosts
  /// Whether the guest owns the register now.
  public private(set) var isOpen = false
  /// How often the register was opened, and closed.
  public internal(set) var opens: UInt64 = 0
  public internal(set) var closes: UInt64 = 0
  /// How much more the present state has cost than the other would have.
  @usableFromInline var rent = 0
  /// What an entry adds to the rent.
  @usableFromInline var step: Int
  /// What an access adds; it includes the step of the entry that follows, because that is not another exit.
  @usableFromInline let charge: Int
  /// The rent at which to switch.
  @usableFromInline var limit: Int
  /// The exits since the last switch, without accesses.
  @usableFromInline var exits = 0
  /// The rent at which the next open stretch ends.
  var openLimit: Int
  /// The open stretch that continues once the register has been opened again, for a guest from another host.
  var reopening: (rent: Int, exits: Int)?

  /// A closed register; it stays closed if trapping costs nothing extra.
  public init(_ costs: AdaptiveCosts) {
    self.costs = costs
    step = -costs.exit
    charge = costs.access + costs.exit
    limit = costs.access > 0 ? costs.price : .max
    openLimit = costs.price + costs.access
  }

  /// Counts a trapped access.
  @inlinable @inline(__always) public mutating func access() {
    exits &-= 1
    rent &+= charge
  }

  /// Counts an entry, and returns whether to switch the register before it.
  @inlinable @inline(__always) public mutating func entry() -> Bool {
    exits &+= 1
    rent = max(0, rent &+ step)
    return rent >= limit
  }

  /// The register was opened.
  ///
  /// The closed stretch that ends here should have saved the price of its two switches. If it did not, closing was a
  /// mistake and the limit doubles; if it did, the limit is reset.
  public mutating func open() {
    let stretch = reopening
    if stretch == nil {
      let wasMistake = closes > 0 && exits.multipliedReportingOverflow(by: costs.exit).partialValue < costs.price
      openLimit = wasMistake ? min(openLimit * 2, Self.longest) : costs.price + costs.access
      opens += 1
    }
    reopening = nil
    isOpen = true
    start(step: costs.exit, limit: costs.exit > 0 ? openLimit : .max)
    if let stretch { (rent, exits) = (min(stretch.rent, limit - 1), stretch.exits) }
  }

  /// The register was closed.
  public mutating func close() {
    closes += 1
    isOpen = false
    start(step: -costs.exit, limit: costs.price)
  }

  /// The register does not hold the guest's value; the next attempt comes after another price's worth of rent.
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

// A guest that comes from another host continues with the rule's state and this host's costs.
extension AdaptiveRule {
  /// The rule's state as named numbers, for `adopt`.
  var state: [String: UInt64] {
    [
      "isOpen": isOpen || reopening != nil ? 1 : 0, "opens": opens, "closes": closes,
      "rent": UInt64(max(0, rent)), "exits": UInt64(max(0, exits)), "patience": UInt64(openLimit),
    ]
  }

  /// Continues from another rule's state; the entry that resumes the guest does not count as an exit.
  ///
  /// If the register was open, that entry opens it, if it may. Numbers out of range are clamped.
  mutating func adopt(_ state: [String: UInt64]) {
    func number(_ name: String) -> Int { Int(clamping: min(state[name] ?? 0, UInt64(Self.longest))) }
    closes = min(state["closes"] ?? 0, .max / 2)
    opens = closes
    openLimit = max(openLimit, number("patience"))
    // Far from overflow also if the register is never opened, and there is no limit.
    let stretch = (rent: number("rent"), exits: number("exits"))
    guard state["isOpen"] == 1 else {
      (rent, exits) = (min(stretch.rent, limit - 1) + costs.exit, stretch.exits - 1)
      return
    }
    opens += 1
    guard costs.access > 0 else {
      closes += 1
      return
    }
    reopening = stretch
    rent = limit + costs.exit
  }
}
