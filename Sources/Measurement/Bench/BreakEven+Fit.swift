// Fits the break-even to the measured cells.
//
// The model: an entry costs base + perWrite × writes + perExit × exits under each policy. It is fitted by least squares
// of the relative errors on the medians, since costs span orders of magnitude. All policies are fitted on the same
// guests: where one was fitted on other cells than another, what the cells differ in would look like what the policies
// differ in. The model is checked by cross-validation: each cell is predicted from a fit of the others (leave-one-out;
// Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 7.10), which needs one cell more than the
// model has coefficients. No winner is named by a model that was not checked, or that misses the unseen cells.

import Registers

extension BreakEven {
  /// The largest error on unseen cells at which the model may name a winner.
  static let poorFit = 0.1

  /// The break-even of those cells that have the most in common: one entry, one MSR, no neighbour.
  ///
  /// `bare` and `chatty` count as guests that do not write. The policy `adaptive` has no cost of its own for a write or
  /// an exit, because it takes one side of the break-even or the other, so it is left out. `isExact` says that the
  /// clock has no noise, so that figures decide without intervals. The seed draws the intervals. If the clock cannot be
  /// believed (`doubtOfClock` is the reason), no winner is named. Nil where fewer than two policies have enough cells.
  public init?(
    cells: [CellRecord], isExact: Bool = false, seed: UInt64 = 0, doubtOfClock: String? = nil
  ) {
    // User mode that works is no part of the model.
    let cells = cells.filter { $0.isMeasured && $0.branches == 0 }
    let writers = cells.filter { $0.workload == .ibrs && $0.neighbour == nil && !$0.isPrimitive }
    let groups = writers.map { Group(entry: $0.entry, msr: $0.msr) }
    func size(_ group: Group) -> Int { groups.count { $0 == group } }
    guard let largest = groups.map(size).max(), let group = groups.first(where: { size($0) == largest }) else {
      return nil
    }
    let members = cells.filter { group.contains($0) && $0.policy != .adaptive }
    let candidates = members.map(\.policy).uniqued.map { policy in
      Candidate(policy, members.filter { $0.policy == policy }.sorted { $0.order < $1.order })
    }.filter { candidate in candidate.cells.contains { $0.workload == .ibrs } }
    guard let fitted = Self.comparable(candidates) else { return nil }
    let models = fitted.compactMap(\.model)
    let checks = fitted.flatMap(\.checks)
    let leftOut = candidates.map(\.policy).filter { policy in !fitted.contains { $0.policy == policy } }
    let doubt = doubtOfClock.map { "the clock cannot be believed: \($0)" }
    if let reason = doubt ?? Self.distrust(checks) {
      self.init(
        models: models, checks: checks, crossings: [], winners: [], contradictions: [], leftOut: leftOut,
        withheld: reason)
      return
    }
    let exits = Set(fitted[0].cells.map(\.exitsPerEntry)).sorted()
    let mostWrites = Double(fitted[0].cells.map(\.writesPerEntry).max() ?? 0)
    let replicates = isExact ? nil : Replicates(fitted.map { ($0.policy, $0.cells) }, seed: seed)
    let crossings = Self.crossings(models, mostExits: Double(exits.last ?? 0), replicates).filter {
      Self.isMeasured($0, fitted, isExact: isExact, seed: seed)
    }
    let winners = exits.flatMap { exits in
      Self.winners(models, exits: exits, mostWrites: mostWrites, replicates) { below, above in
        crossings.contains { $0.below == below && $0.above == above }
      }
    }
    self.init(
      models: models, checks: checks, crossings: crossings, winners: winners,
      contradictions: Self.contradictions(fitted.flatMap(\.cells), winners, isExact: isExact, seed: seed),
      leftOut: leftOut,
      withheld: nil)
  }

  /// Why a model with these checks may name no winner; nil where it may.
  private static func distrust(_ checks: [Check]) -> String? {
    guard let error = checks.map({ abs($0.relativeError) }).max() else {
      return
        "the model could not be checked: that needs four cells of a policy, one more than determine its costs"
    }
    guard error > poorFit else { return nil }
    return
      "the linear model does not fit: predictions of cells left out of the fit are off by up to "
      + Decimal.percent(error)
  }

  /// A policy with the cells that it may be fitted on, no two of the same guest.
  struct Candidate {
    let policy: Known<PolicyName>
    var cells: [CellRecord]

    init(_ policy: Known<PolicyName>, _ cells: [CellRecord]) {
      self.policy = policy
      var seen: Set<Guest> = []
      self.cells = cells.filter { $0.median?.isCost ?? false && seen.insert($0.guest).inserted }
    }

    /// The fit; nil where the cells do not determine it.
    var model: Model? { Model(policy, points) }

    /// Each cell compared with a fit of the others, where they determine one.
    var checks: [Check] {
      let points = points
      return points.indices.compactMap { index in
        var others = points
        let point = others.remove(at: index)
        return Model(policy, others).map { Check(point, predicted: $0.cost(writes: point.writes, exits: point.exits)) }
      }
    }

    private var points: [Point] { cells.compactMap { cell in cell.median.map { Point(cell, cost: $0) } } }
  }

  /// The policies that can be fitted on the same guests, cut down to those.
  ///
  /// While they have too few guests in common, the policy with the fewest guests is left out. Nil where fewer than two
  /// are left.
  private static func comparable(_ candidates: [Candidate]) -> [Candidate]? {
    func firstThat(_ isEnough: (Candidate) -> Bool) -> [Candidate]? {
      var left = candidates
      while left.count > 1 {
        let guests = left.map { Set($0.cells.map(\.guest)) }
        let common = guests.reduce(guests[0]) { $0.intersection($1) }
        let cut = left.map { candidate in
          var candidate = candidate
          candidate.cells.removeAll { !common.contains($0.guest) }
          return candidate
        }
        if cut.allSatisfy(isEnough) { return cut }
        guard let fewest = left.indices.min(by: { left[$0].cells.count < left[$1].cells.count }) else { return nil }
        left.remove(at: fewest)
      }
      return nil
    }
    return firstThat { $0.model != nil && !$0.checks.isEmpty } ?? firstThat { $0.model != nil }
  }

  /// The properties that the cells of one break-even share.
  private struct Group: Equatable {
    let entry: Known<Entry>
    let msr: Known<MSR>?

    func contains(_ cell: CellRecord) -> Bool {
      guard cell.entry == entry, cell.neighbour == nil else { return false }
      return cell.workload == .ibrs ? cell.msr == msr : cell.workload == .bare || cell.workload == .chatty
    }
  }

  /// One cell's data for a model.
  struct Point {
    let cell: String
    let writes: Double
    let exits: Double
    /// Cycles per entry.
    let cost: Double

    init(_ cell: CellRecord, cost: Double) {
      self.cell = cell.id
      writes = Double(cell.writesPerEntry)
      exits = Double(cell.exitsPerEntry)
      self.cost = cost
    }
  }
}

extension BreakEven.Model {
  /// The model of a policy's cells; nil where they do not determine it.
  init?(_ policy: Known<PolicyName>, _ points: [BreakEven.Point]) {
    guard points.allSatisfy({ $0.cost.isCost }),
      let coefficients = LeastSquares.fit(
        rows: points.map { [1, $0.writes, $0.exits] }, values: points.map(\.cost),
        weights: points.map { 1 / ($0.cost * $0.cost) }),
      coefficients.allSatisfy(\.isFinite)
    else { return nil }
    self.init(
      policy: policy, base: coefficients[0], perWrite: coefficients[1], perExit: coefficients[2],
      fittedOn: points.map(\.cell))
  }

  /// The cost of an entry by the model, in cycles.
  public func cost(writes: Double, exits: Double) -> Double { base + perWrite * writes + perExit * exits }
}

extension BreakEven.Check {
  fileprivate init(_ point: BreakEven.Point, predicted: Double) {
    self.init(
      cell: point.cell, measured: point.cost, predicted: predicted,
      relativeError: (predicted - point.cost) / point.cost)
  }
}

extension BreakEven {
  /// A cell's guest, without the policy.
  struct Guest: Hashable {
    let workload: Known<WorkloadName>
    let writes: Int
    let exits: Int
  }
}

extension CellRecord {
  /// The cell's guest, without the policy.
  var guest: BreakEven.Guest {
    BreakEven.Guest(workload: workload, writes: writesPerEntry, exits: exitsPerEntry)
  }

  fileprivate var order: (Int, Int, String) { (writesPerEntry, exitsPerEntry, id) }
}

// MARK: Intervals

// Rounds are drawn with replacement, and every policy is fitted anew. The rounds of all cells are drawn together, since
// those of one index were measured under the same circumstances (as in `MedianBootstrap`). An interval also reaches as
// far as the fits of four stretches of the run differ (`Stretches`). The intervals show how noise moves the lines; the
// checks show how far costs are from straight lines.
extension BreakEven {
  /// The models of every replicate, and the intervals that follow.
  struct Replicates {
    private static let count = 200

    /// The models of a replicate by policy.
    private let models: [[Known<PolicyName>: Model]]
    /// The models of all rounds, and those of each stretch of the run.
    private let whole: [Known<PolicyName>: Model]
    private let stretches: [[Known<PolicyName>: Model]]
    private let rounds: Int

    /// Draws rounds of each policy's cells; nil where there are too few rounds to tell how they differ.
    init?(_ cells: [(policy: Known<PolicyName>, cells: [CellRecord])], seed: UInt64) {
      let rows = cells.map { policy, cells in (policy, cells.map(Row.init)) }
      let counts = rows.flatMap { $0.1.map(\.rounds) }
      guard let fewest = counts.min(), fewest >= RatioEstimate.fewestRounds,
        let most = cells.flatMap({ $0.cells.map(\.rounds.count) }).max()
      else { return nil }
      rounds = fewest
      func fit(_ draws: [Int]) -> [Known<PolicyName>: Model]? {
        let models = rows.compactMap { policy, rows in Model(policy, rows.compactMap { $0.point(draws) }) }
        guard models.count == rows.count else { return nil }
        return Dictionary(models.map { ($0.policy, $0) }, uniquingKeysWith: { first, _ in first })
      }
      guard let whole = fit([Int](repeating: 1, count: most)) else { return nil }
      self.whole = whole
      stretches = Stretches.ranges(of: most).compactMap { stretch in
        fit((0..<most).map { stretch.contains($0) ? 1 : 0 })
      }
      var generator = SeededGenerator(seed: seed, stream: "break-even")
      models = (0..<Self.count).compactMap { _ in
        var draws = [Int](repeating: 0, count: most)
        for _ in 0..<most { draws[generator.index(below: most)] += 1 }
        return fit(draws)
      }
    }

    /// The 95 % interval of a figure of two policies' models; nil where it has no bounds.
    func interval(
      _ one: Known<PolicyName>, _ other: Known<PolicyName>, of figure: (Model, Model) -> Double?
    ) -> Interval? {
      func value(_ models: [Known<PolicyName>: Model]) -> Double? {
        guard let one = models[one], let other = models[other] else { return nil }
        return figure(one, other).flatMap { $0.isNaN ? nil : $0 }
      }
      let values = models.compactMap(value).sorted()
      // A replicate without the figure could lie anywhere, so only as many are accepted as lie outside the interval.
      let outside = Int((MedianBootstrap.tail(confidence: 0.95, rounds: rounds) * Double(models.count)).rounded(.down))
      guard models.count - values.count <= outside, values.count > 2 * outside else { return nil }
      let (low, high) = (values[outside], values[values.count - 1 - outside])
      guard let centre = value(whole),
        let reach = Stretches.reach(of: stretches.map { value($0) ?? .infinity }, confidence: 0.95)
      else { return nil }
      return Interval(min(low, centre - reach), max(high, centre + reach))
    }
  }

  /// A cell's samples in order, each with its round.
  private struct Row {
    let cell: CellRecord
    let samples: [(value: Double, round: Int)]
    /// How many rounds have samples.
    let rounds: Int

    init(_ cell: CellRecord) {
      self.cell = cell
      let settled = cell.settledRounds
      rounds = settled.count { !$0.isEmpty }
      samples = settled.enumerated().flatMap { round, samples in samples.map { (value: $0, round: round) } }
        .sorted { $0.value < $1.value }
    }

    /// The cell with the median of the drawn rounds; nil if none of its own rounds was drawn.
    func point(_ draws: [Int]) -> Point? {
      let drawn = samples.reduce(0) { $0 + draws[$1.round] }
      var passed = 0
      for sample in samples {
        passed += draws[sample.round]
        if passed * 2 >= drawn, passed > 0 { return Point(cell, cost: sample.value) }
      }
      return nil
    }
  }
}
