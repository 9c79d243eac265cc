// The costs that the rule of `adaptive` compares: trapping, an open register, and a switch, on one host.

/// Costs in cycles of the host's time-stamp counter, none below zero.
@frozen public struct AdaptiveCosts: Equatable, Sendable {
  /// The extra cost of an access of the register while it is trapped.
  public let access: Int
  /// The extra cost of an exit while the register is open to the guest.
  public let exit: Int
  /// The cost of opening the register and closing it again.
  public let price: Int
  /// The cost of an exit to the VMM by itself.
  public let wholeExit: Int

  /// These costs; a negative one is noise and counts as zero, and a switch costs at least 1.
  public init(access: Int, exit: Int, price: Int, wholeExit: Int) {
    func clamped(_ cost: Int, from least: Int = 0) -> Int { min(max(cost, least), Self.largest) }
    self.access = clamped(access)
    self.exit = clamped(exit)
    self.price = clamped(price, from: 1)
    self.wholeExit = clamped(wholeExit, from: 1)
  }

  /// Larger than any real cost, and far from overflow.
  private static let largest = 1 << 40

  /// The one-time part of the bound: rent up to the price, the access that exceeds it, and the price.
  public var oneSwitch: Int { 2 * price + access }

  /// How much more than the better of the two fixed states a run may cost beyond `oneSwitch`, as a share of its cost.
  public var bound: Double { 2 * Double(exit) / Double(wholeExit) }
}

extension AdaptiveCosts: CustomStringConvertible {
  /// The costs and the bound that follows from them, without a full stop.
  public var description: String {
    let share = (bound * 1000).rounded() / 10
    return
      "measured here at start-up, in cycles: a trapped access costs \(access) more, an exit while the register is open "
      + "\(exit) more, opening and closing it \(price), an exit to the VMM \(wholeExit); so a run costs at most \(share) % "
      + "more than under the better of passthrough and emulate, plus \(oneSwitch) once"
  }
}
