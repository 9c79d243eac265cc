// What the rule of `adaptive` weighs: what trapping, an open register and a switch cost on a host.

/// Costs in cycles of the host's time-stamp counter, none below zero.
@frozen public struct AdaptiveCosts: Equatable, Sendable {
  /// What an access of the register costs more while it is trapped.
  public let access: Int
  /// What an exit costs more while the register is open to the guest.
  public let exit: Int
  /// What it costs to open the register and to close it again.
  public let price: Int
  /// What an exit to the VMM costs by itself.
  public let wholeExit: Int

  /// These costs; one below zero is noise and counts as zero, and a switch is never free.
  public init(access: Int, exit: Int, price: Int, wholeExit: Int) {
    func clamped(_ cost: Int, from least: Int = 0) -> Int { min(max(cost, least), Self.largest) }
    self.access = clamped(access)
    self.exit = clamped(exit)
    self.price = clamped(price, from: 1)
    self.wholeExit = clamped(wholeExit, from: 1)
  }

  /// More than any of them can be, and far from overflow.
  private static let largest = 1 << 40

  /// What may come on top once: rent up to the price, with the access that passes it, and the price.
  public var oneSwitch: Int { 2 * price + access }

  /// By how much a run may exceed the better of the two fixed states beyond `oneSwitch`, as a share of its cost.
  public var bound: Double { 2 * Double(exit) / Double(wholeExit) }
}

extension AdaptiveCosts: CustomStringConvertible {
  /// The costs and what follows from them, without a full stop.
  public var description: String {
    let share = (bound * 1000).rounded() / 10
    return
      "measured here at start-up, in cycles: a trapped access costs \(access) more, an exit while the register is open "
      + "\(exit) more, opening and closing it \(price), an exit to the VMM \(wholeExit); so a run costs at most \(share) % "
      + "more than under the better of passthrough and emulate, and \(oneSwitch) once"
  }
}
