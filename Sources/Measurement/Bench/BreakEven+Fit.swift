// The break-even from measured cells.
//
// The model: an entry costs base + perWrite × writes + perExit × exits under each policy. It is fitted by least squares of
// the relative errors on the medians, since costs span orders of magnitude, and on all cells of a policy. It is checked by
// cross-validation: each cell is predicted from a fit of the others (leave-one-out; Hastie, Tibshirani and Friedman, "The
// Elements of Statistical Learning", 7.10), which needs one cell more than the model has coefficients.

extension BreakEven {
  /// An error on unseen cells from which on the model is not to be relied on.
  static let poorFit = 0.1

  /// The break-even of those cells that have the most in common: one entry, one MSR, no neighbour.
  ///
  /// `bare` and `chatty` count as guests that do not write. The policy `adaptive` has no cost of its own for a write or an exit:
  /// it takes one side of the break-even or the other, and is left out. The seed draws the intervals. Nil where fewer than two
  /// policies have cells enough.
  public init?(cells: [BenchReport.Cell], seed: UInt64 = 0) {
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
    var fitted: [(policy: String, cells: [BenchReport.Cell])] = []
    for policy in members.map(\.policy).uniqued {
      let own = members.filter { $0.policy == policy }.sorted { $0.order < $1.order }
      let points = own.compactMap { cell in cell.summary.map { Point(cell, cost: $0.median) } }
      guard own.contains(where: { $0.workload == "ibrs" }), let model = Model(policy, points) else { continue }
      models.append(model)
      checks += Self.crossValidation(policy, points)
      fitted.append((policy, own))
    }
    guard models.count > 1 else { return nil }
    let exits = Set(members.map(\.exitsPerEntry)).sorted()
    let replicates = Replicates(fitted, seed: seed)
    let winners = exits.flatMap { Self.winners(models, exits: $0, replicates) }
    self.init(
      models: models, checks: checks,
      crossings: Self.crossings(models, mostExits: Double(exits.last ?? 0), replicates), winners: winners,
      contradictions: Self.contradictions(fitted.flatMap(\.cells), winners, seed: seed))
  }

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

  /// Each cell held against a fit of the others, as far as they determine one.
  private static func crossValidation(_ policy: String, _ points: [Point]) -> [Check] {
    points.indices.compactMap { index in
      var others = points
      let point = others.remove(at: index)
      return Model(policy, others).map { Check(point, predicted: $0.cost(writes: point.writes, exits: point.exits)) }
    }
  }

  /// What one cell tells a model.
  struct Point {
    let cell: String
    let writes: Double
    let exits: Double
    /// Cycles per entry.
    let cost: Double

    init(_ cell: BenchReport.Cell, cost: Double) {
      self.cell = cell.id
      writes = Double(cell.writesPerEntry)
      exits = Double(cell.exitsPerEntry)
      self.cost = cost
    }
  }
}

extension BreakEven.Model {
  /// The model of a policy's cells; nil where they do not determine it.
  init?(_ policy: String, _ points: [BreakEven.Point]) {
    guard points.allSatisfy({ $0.cost > 0 }),
      let coefficients = LeastSquares.fit(
        rows: points.map { [1, $0.writes, $0.exits] }, values: points.map(\.cost),
        weights: points.map { 1 / ($0.cost * $0.cost) })
    else { return nil }
    self.init(
      policy: policy, base: coefficients[0], perWrite: coefficients[1], perExit: coefficients[2],
      fittedOn: points.map(\.cell))
  }

  /// What an entry costs by the model, in cycles.
  public func cost(writes: Double, exits: Double) -> Double { base + perWrite * writes + perExit * exits }
}

extension BreakEven.Check {
  fileprivate init(_ point: BreakEven.Point, predicted: Double) {
    self.init(
      cell: point.cell, measured: point.cost, predicted: predicted,
      relativeError: (predicted - point.cost) / point.cost)
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
