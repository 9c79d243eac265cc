// The break-even from measured cells.
//
// The model: an entry costs base + perWrite × writes + perExit × exits under each policy. It is fitted by least squares of
// the relative errors on the medians, since costs span orders of magnitude. Of each policy's cells in the order of writes
// and exits every second one is kept back and checks the model, unless those left over would not determine it.

extension BreakEven {
  /// Policies whose writes differ by no more than this share of their cost are not told apart by writes.
  static let sameCost = 0.05

  /// Costs that differ by no more than this share are equal.
  static let tie = 0.02
  /// A stretch or a line below so many writes per entry decides nothing.
  static let fewWrites = 0.05
  /// How many writes per entry a guest may make, for stretches that have no end.
  static let manyWrites = 16.0

  /// The break-even of those cells that have the most in common: one entry, one MSR, no neighbour.
  ///
  /// `bare` and `chatty` count as guests that do not write. The policy `adaptive` has no cost of its own for a write or an exit:
  /// it takes one side of the break-even or the other, and is left out. Nil where fewer than two policies have cells enough.
  public init?(cells: [BenchReport.Cell]) {
    // User mode that works is no part of the model.
    let cells = cells.filter { $0.branches == 0 }
    let writers = cells.filter { $0.isMeasured && $0.workload == "ibrs" && $0.neighbour == nil && $0.entry != "none" }
    let groups = writers.map { Group(entry: $0.entry, msr: $0.msr) }
    func size(_ group: Group) -> Int { groups.count { $0 == group } }
    guard let largest = groups.map(size).max(), let group = groups.first(where: { size($0) == largest }) else {
      return nil
    }
    let members = cells.filter { group.contains($0) && $0.policy != "adaptive" }
    var models: [Model] = []
    var checks: [Check] = []
    for policy in members.map(\.policy).uniqued {
      let own = members.filter { $0.policy == policy }
      guard own.contains(where: { $0.workload == "ibrs" }) else { continue }
      guard let (model, checking) = Self.fit(policy, own.sorted { $0.order < $1.order }) else { continue }
      models.append(model)
      checks += checking.compactMap { Check($0, model) }
    }
    guard models.count > 1 else { return nil }
    let exits = Set(members.map(\.exitsPerEntry)).sorted()
    self.init(
      models: models, checks: checks, crossings: Self.crossings(models, mostExits: Double(exits.last ?? 0)),
      winners: exits.flatMap { Self.winners(models, exits: $0) })
  }

  /// An error on unseen cells from which on the model is not to be relied on.
  static let poorFit = 0.1

  /// The largest relative error on cells that the models had not seen; nil where there were none.
  public var worstError: Double? { checks.map { abs($0.relativeError) }.max() }

  /// What the cells of one break-even have in common.
  private struct Group: Equatable {
    let entry: String
    let msr: String?

    func contains(_ cell: BenchReport.Cell) -> Bool {
      guard cell.isMeasured, cell.entry == entry, cell.neighbour == nil else { return false }
      return cell.workload == "ibrs" ? cell.msr == msr : ["bare", "chatty"].contains(cell.workload)
    }
  }

  private static func fit(
    _ policy: String, _ cells: [BenchReport.Cell]
  ) -> (model: Model, checking: [BenchReport.Cell])? {
    let even = cells.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
    let odd = cells.enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    if let model = Model(policy, fittedOn: even) { return (model, odd) }
    return Model(policy, fittedOn: cells).map { ($0, []) }
  }

  /// The lines on which two policies cost the same, as far as they run where guests can be.
  static func crossings(_ models: [Model], mostExits: Double) -> [Crossing] {
    var crossings: [Crossing] = []
    for (index, one) in models.enumerated() {
      for other in models[(index + 1)...] {
        let dearest = max(abs(one.perWrite), abs(other.perWrite))
        guard abs(one.perWrite - other.perWrite) > sameCost * dearest else { continue }
        let below = one.perWrite > other.perWrite ? one : other
        let above = one.perWrite > other.perWrite ? other : one
        let slope = below.perWrite - above.perWrite
        let crossing = Crossing(
          below: below.policy, above: above.policy, atNoExit: (above.base - below.base) / slope,
          perExit: (above.perExit - below.perExit) / slope)
        if max(crossing.atNoExit, crossing.atNoExit + crossing.perExit * mostExits) > fewWrites {
          crossings.append(crossing)
        }
      }
    }
    return crossings
  }

  /// The lower envelope of the models at a number of exits: which is the cheapest from how many writes on.
  ///
  /// Of policies that tie without a write, the one with the cheapest writes wins; writes that cost the same (`sameCost`) never
  /// change the winner.
  static func winners(_ models: [Model], exits: Int) -> [Winner] {
    func cost(_ model: Model, _ writes: Double) -> Double { model.cost(writes: writes, exits: Double(exits)) }
    guard let least = models.map({ cost($0, 0) }).min(),
      var current = models.filter({ cost($0, 0) <= least + tie * abs(least) }).min(by: { $0.perWrite < $1.perWrite })
    else { return [] }
    var winners: [Winner] = []
    var from = 0.0
    while true {
      // The next to win is the first line of a smaller slope to cross the current one; of two at a point, the flatter.
      let next = models.filter { current.perWrite - $0.perWrite > sameCost * abs(current.perWrite) }
        .map { (model: $0, at: (cost($0, 0) - cost(current, 0)) / (current.perWrite - $0.perWrite)) }
        .min { ($0.at, $0.model.perWrite) < ($1.at, $1.model.perWrite) }
      let to = next.map { max($0.at, from) }
      if to.map({ $0 - from > fewWrites }) ?? true {
        let ends = [from, to ?? max(from, manyWrites)]
        let equals = models.filter { model in
          model.policy != current.policy && ends.allSatisfy { cost(model, $0) <= cost(current, $0) * (1 + tie) }
        }
        winners.append(Winner(exits: exits, policy: current.policy, equals: equals.map(\.policy), from: from, to: to))
        from = to ?? from
      }
      guard let next else { return winners }
      current = next.model
    }
  }
}

extension BreakEven.Model {
  /// The model of a policy's cells; nil where they do not determine it.
  init?(_ policy: String, fittedOn cells: [BenchReport.Cell]) {
    let medians = cells.compactMap { $0.summary?.median }
    guard medians.count == cells.count, medians.allSatisfy({ $0 > 0 }),
      let coefficients = LeastSquares.fit(
        rows: cells.map { [1, Double($0.writesPerEntry), Double($0.exitsPerEntry)] }, values: medians,
        weights: medians.map { 1 / ($0 * $0) })
    else { return nil }
    self.init(
      policy: policy, base: coefficients[0], perWrite: coefficients[1], perExit: coefficients[2],
      fittedOn: cells.map(\.id))
  }

  /// What an entry costs by the model, in cycles.
  public func cost(writes: Double, exits: Double) -> Double { base + perWrite * writes + perExit * exits }
}

extension BreakEven.Check {
  fileprivate init?(_ cell: BenchReport.Cell, _ model: BreakEven.Model) {
    guard let measured = cell.summary?.median, measured > 0 else { return nil }
    let predicted = model.cost(writes: Double(cell.writesPerEntry), exits: Double(cell.exitsPerEntry))
    self.init(
      cell: cell.id, measured: measured, predicted: predicted, relativeError: (predicted - measured) / measured)
  }
}

extension BenchReport.Cell {
  fileprivate var order: (Int, Int, String) { (writesPerEntry, exitsPerEntry, id) }
}

extension [String] {
  /// Each once, in the order of their first appearance.
  var uniqued: [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}
