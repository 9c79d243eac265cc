// The rule of `adaptive` where its guest goes on elsewhere: as it stood, by that host's costs.

extension AdaptiveRule {
  /// The rule as numbers by their names, for `adopt`.
  var state: [String: UInt64] {
    [
      "isOpen": isOpen || reopening != nil ? 1 : 0, "opens": opens, "closes": closes,
      "rent": UInt64(max(0, rent)), "exits": UInt64(max(0, exits)), "patience": UInt64(patience),
    ]
  }

  /// Goes on from the state of another; the entry that leads back into the guest is none of its exits.
  ///
  /// A register that was open is opened at that entry, where it may be. What stands in the state is clamped to what can
  /// be.
  mutating func adopt(_ state: [String: UInt64]) {
    func number(_ name: String, atMost most: Int) -> Int { Int(clamping: min(state[name] ?? 0, UInt64(most))) }
    closes = min(state["closes"] ?? 0, .max / 2)
    opens = closes
    patience = max(patience, number("patience", atMost: Self.longest))
    // Far from overflow also where the register is never opened, and there is no limit.
    let stretch = (rent: number("rent", atMost: Self.longest), exits: number("exits", atMost: Self.longest))
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
