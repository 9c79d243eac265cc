// The cheapest policy by the models: the lines on which two policies cost the same, and the lower envelope. The cells
// check the models: a line counts only if a pair of cells on either side agrees, and cells may contradict a winner.

import Registers

extension BreakEven {
  /// Policies whose writes differ by no more than this share of their cost are not told apart by writes.
  static let sameCost = 0.05

  /// Costs that differ by no more than this share are equal.
  static let tie = 0.02
  /// A range or a line below this number of writes per entry is ignored.
  static let fewWrites = 0.05

  /// The lines on which two policies cost the same, where numbers of writes and exits are not negative.
  static func crossings(_ models: [Model], mostExits: Double, _ replicates: Replicates? = nil) -> [Crossing] {
    var crossings: [Crossing] = []
    for (index, one) in models.enumerated() {
      for other in models[(index + 1)...] {
        let larger = max(abs(one.perWrite), abs(other.perWrite))
        guard abs(one.perWrite - other.perWrite) > sameCost * larger else { continue }
        let below = one.perWrite > other.perWrite ? one : other
        let above = one.perWrite > other.perWrite ? other : one
        guard let start = below.crossing(above, exits: 0), let slope = below.crossingPerExit(above) else { continue }
        let startInterval = replicates?.interval(below.policy, above.policy) { $0.crossing($1, exits: 0) }
        // Where noise leaves open whose writes cost less, nothing crosses.
        guard replicates == nil || startInterval != nil else { continue }
        let crossing = Crossing(
          below: below.policy, above: above.policy, atNoExit: start, atNoExitInterval: startInterval,
          perExit: slope,
          perExitInterval: replicates?.interval(below.policy, above.policy) { $0.crossingPerExit($1) })
        if max(crossing.atNoExit, crossing.atNoExit + crossing.perExit * mostExits) > fewWrites {
          crossings.append(crossing)
        }
      }
    }
    return crossings
  }

  /// The lower envelope of the models at a number of exits: which policy is the cheapest from how many writes on, up
  /// to the most that were measured.
  ///
  /// The winner changes only where a crossing was measured: from the policy `below` to the one `above`. Of policies
  /// that tie without a write, the one with the cheapest writes wins; writes that cost the same (`sameCost`) never
  /// change the winner. Policies whose costs the noise does not tell apart are equals.
  static func winners(
    _ models: [Model], exits: Int, mostWrites: Double, _ replicates: Replicates? = nil,
    isMeasured: (_ below: Known<PolicyName>, _ above: Known<PolicyName>) -> Bool
  ) -> [Winner] {
    func cost(_ model: Model, _ writes: Double) -> Double { model.cost(writes: writes, exits: Double(exits)) }
    guard let least = models.map({ cost($0, 0) }).min(),
      var current = models.filter({ cost($0, 0) <= least + tie * abs(least) }).min(by: { $0.perWrite < $1.perWrite })
    else { return [] }
    var winners: [Winner] = []
    var from = 0.0
    while true {
      // The next to win is the first line of a smaller slope to cross the current one; of two at a point, the flatter.
      let next = models.filter { isMeasured(current.policy, $0.policy) && current.perWrite > $0.perWrite }
        .map { (model: $0, at: (cost($0, 0) - cost(current, 0)) / (current.perWrite - $0.perWrite)) }
        .filter { $0.at < mostWrites }
        .min { ($0.at, $0.model.perWrite) < ($1.at, $1.model.perWrite) }
      let to = next.map { max($0.at, from) }
      if to.map({ $0 - from > fewWrites }) ?? true {
        let ends = [from, to ?? max(from, mostWrites)]
        let equals = models.filter { model in
          guard model.policy != current.policy else { return false }
          return ends.allSatisfy { writes in
            let excess = replicates?.interval(model.policy, current.policy) { cost($0, writes) - cost($1, writes) }
            return cost(model, writes) <= cost(current, writes) * (1 + tie) || excess.map { $0.lower <= 0 } ?? false
          }
        }
        let interval = next.flatMap { next in
          replicates?.interval(current.policy, next.model.policy) { $0.crossing($1, exits: Double(exits)) }
        }
        winners.append(
          Winner(
            exits: exits, policy: current.policy, equals: equals.map(\.policy), from: from, to: to,
            toInterval: interval))
        from = to ?? from
      }
      guard let next else { return winners }
      current = next.model
    }
  }
}

extension BreakEven {
  // MARK: Checks by the cells

  /// Whether measurements confirm a crossing: on each side some guest, measured under both policies, costs less under
  /// the policy that the crossing names for that side.
  ///
  /// The interval of the ratio decides; where the clock has no noise, the ratio.
  static func isMeasured(_ crossing: Crossing, _ fitted: [Candidate], isExact: Bool, seed: UInt64) -> Bool {
    func cells(_ policy: Known<PolicyName>) -> [CellRecord] { fitted.first { $0.policy == policy }?.cells ?? [] }
    let pairs = cells(crossing.below).compactMap { below in
      cells(crossing.above).first { $0.guest == below.guest }.map { (below: below, above: $0) }
    }
    func costsLess(_ one: CellRecord, _ other: CellRecord) -> Bool {
      guard
        let ratio = try? RatioEstimate(
          of: other.settledRounds, over: one.settledRounds, isExact: isExact,
          generator: SeededGenerator(seed: seed, stream: "crossing \(other.id) over \(one.id)"))
      else { return false }
      return isExact ? ratio.ratio > 1 : ratio.differs && ratio.ratio > 1
    }
    func isBelow(_ cell: CellRecord) -> Bool {
      Double(cell.writesPerEntry) < crossing.atNoExit + crossing.perExit * Double(cell.exitsPerEntry)
    }
    return pairs.contains { isBelow($0.below) && costsLess($0.below, $0.above) }
      && pairs.contains { !isBelow($0.below) && costsLess($0.above, $0.below) }
  }

  /// The points at which the policy that the model names was measured to cost more than another.
  ///
  /// Only the cheapest other is named. It has to cost less by more than a tie, and the interval of the ratio, round by
  /// round, to leave out 1.
  static func contradictions(
    _ cells: [CellRecord], _ winners: [Winner], isExact: Bool, seed: UInt64
  ) -> [Contradiction] {
    var contradictions: [Contradiction] = []
    var seen: Set<Guest> = []
    for cell in cells where seen.insert(cell.guest).inserted {
      let measured = cells.filter { $0.guest == cell.guest }
      let named = winners.last { $0.exits == cell.exitsPerEntry && $0.from <= Double(cell.writesPerEntry) }
      guard let named, let own = measured.first(where: { $0.policy == named.policy }),
        let cheapest = measured.min(by: { $0.median ?? .infinity < $1.median ?? .infinity }),
        cheapest.policy != named.policy,
        let estimate = try? RatioEstimate(
          of: own.settledRounds, over: cheapest.settledRounds, isExact: isExact,
          generator: SeededGenerator(seed: seed, stream: "break-even \(own.id) over \(cheapest.id)")),
        estimate.differs, estimate.ratio > 1 + tie
      else { continue }
      contradictions.append(
        Contradiction(
          exits: cell.exitsPerEntry, writes: cell.writesPerEntry, named: named.policy, cheaper: cheapest.policy,
          ratio: estimate.ratio, interval: estimate.interval))
    }
    return contradictions.sorted { ($0.exits, $0.writes) < ($1.exits, $1.writes) }
  }
}

extension BreakEven.Model {
  /// From how many writes on another policy costs less; nil where its writes cost no less.
  func crossing(_ other: Self, exits: Double) -> Double? {
    guard perWrite > other.perWrite else { return nil }
    let writes = (other.cost(writes: 0, exits: exits) - cost(writes: 0, exits: exits)) / (perWrite - other.perWrite)
    return writes.isFinite ? writes : nil
  }

  /// By how many writes each exit moves that crossing; nil if there is none.
  func crossingPerExit(_ other: Self) -> Double? {
    guard perWrite > other.perWrite else { return nil }
    let writes = (other.perExit - perExit) / (perWrite - other.perWrite)
    return writes.isFinite ? writes : nil
  }
}
