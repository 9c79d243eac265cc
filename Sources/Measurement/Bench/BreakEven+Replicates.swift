// What a break-even might as well have been: rounds are drawn with replacement, and every policy is fitted anew.
//
// The rounds of all cells are drawn together, since those of one index were measured under the same circumstances (as
// in `MedianBootstrap`). This tells how noise moves the lines; how far costs are from straight lines the checks tell.

import Registers

extension BreakEven {
  /// The models of every replicate, and the intervals that follow.
  struct Replicates {
    private static let count = 200

    /// The models of a replicate by policy.
    private let models: [[Known<PolicyName>: Model]]
    private let rounds: Int

    /// Draws rounds of each policy's cells; nil where there are too few rounds to tell how they differ.
    init?(_ cells: [(policy: Known<PolicyName>, cells: [BenchReport.Cell])], seed: UInt64) {
      let rows = cells.map { policy, cells in (policy, cells.map(Row.init)) }
      let counts = rows.flatMap { $0.1.map(\.rounds) }
      guard let fewest = counts.min(), fewest >= RatioEstimate.fewestRounds,
        let most = cells.flatMap({ $0.cells.map(\.rounds.count) }).max()
      else { return nil }
      rounds = fewest
      var generator = SeededGenerator(seed: seed, stream: "break-even")
      models = (0..<Self.count).compactMap { _ in
        var draws = [Int](repeating: 0, count: most)
        for _ in 0..<most { draws[generator.index(below: most)] += 1 }
        let models = rows.compactMap { policy, rows in Model(policy, rows.compactMap { $0.point(draws) }) }
        guard models.count == rows.count else { return nil }
        return Dictionary(models.map { ($0.policy, $0) }, uniquingKeysWith: { first, _ in first })
      }
    }

    /// The 95 % interval of a figure of two policies' models; nil where it has no bounds.
    func interval(
      _ one: Known<PolicyName>, _ other: Known<PolicyName>, of figure: (Model, Model) -> Double?) -> [Double]? {
      let values = models.compactMap { models -> Double? in
        guard let one = models[one], let other = models[other] else { return nil }
        return figure(one, other)
      }.sorted()
      // A replicate without the figure could lie anywhere: as many as lie outside the interval are borne, and no more.
      let outside = Int((MedianBootstrap.tail(confidence: 0.95, rounds: rounds) * Double(models.count)).rounded(.down))
      guard models.count - values.count <= outside, values.count > 2 * outside else { return nil }
      return [values[outside], values[values.count - 1 - outside]]
    }
  }

  /// A cell's samples in order, each with its round.
  private struct Row {
    let cell: BenchReport.Cell
    let samples: [(value: Double, round: Int)]
    /// How many rounds have samples.
    let rounds: Int

    init(_ cell: BenchReport.Cell) {
      self.cell = cell
      let settled = cell.settledRounds
      rounds = settled.count { !$0.isEmpty }
      samples = settled.enumerated().flatMap { round, samples in samples.map { (value: $0, round: round) } }
        .sorted { $0.value < $1.value }
    }

    /// The cell with the median of the rounds drawn so often; nil where none of its own was.
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
