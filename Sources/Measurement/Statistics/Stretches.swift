// Stretches of a run: rounds that follow each other. A cell's cost changes from one moment to the next (the other
// thread of a core is busy, a neighbour of the host works), for longer than a round lasts. So rounds resemble the ones
// before, and an interval from their number alone is too narrow. Stretches are longer than rounds, and show how moments
// differ.
//
// Two methods, both for few units:
// - Batch means (Law, "Simulation Modeling and Analysis", 9.5.3): the medians of a few stretches are nearly independent
//   of each other, and Student's t for so few gives the interval.
// - The range: of n independent figures the lowest and the highest enclose the median of their distribution with
//   probability 1 - 2^(1 - n) (Conover, "Practical Nonparametric Statistics", 3.2). For ten that is 99.8 %; what is
//   beyond 95 % makes up for moments that last longer than a stretch.

/// The medians of two cells in stretches of a run.
struct Stretches {
  /// How many stretches Student's t is applied to: three degrees of freedom.
  ///
  /// With more, stretches of a short run resemble each other; with fewer, the quantile is large (4.3 for three).
  private static let batchCount = 4
  /// The most stretches whose range is taken.
  private static let mostMoments = 10

  private let batches: [(first: Double, second: Double)]
  private let moments: [(first: Double, second: Double)]

  /// The stretches of rounds that each have samples of both cells.
  init(_ rounds: [(first: [Double], second: [Double])]) {
    batches = Self.medians(of: rounds, in: Self.batchCount)
    moments = Self.medians(of: rounds, in: Self.mostMoments)
  }

  /// The medians over stretches of nearly the same number of rounds; at most as many stretches as rounds.
  private static func medians(
    of rounds: [(first: [Double], second: [Double])], in count: Int
  ) -> [(first: Double, second: Double)] {
    ranges(of: rounds.count, in: count).map { range in
      (rounds[range].flatMap(\.first).median ?? 0, rounds[range].flatMap(\.second).median ?? 0)
    }
  }

  /// Stretches of nearly the same number of rounds, by their indices; at most as many as rounds.
  static func ranges(of rounds: Int, in count: Int = batchCount) -> [Range<Int>] {
    let count = min(count, rounds)
    return (0..<count).map { $0 * rounds / count..<($0 + 1) * rounds / count }
  }

  /// How far a figure's interval reaches to either side, by the batches; nil if one of them has no such figure.
  func reach(confidence: Double, of figure: (Double, Double) -> Double) -> Double? {
    Self.reach(of: batches.map { figure($0.first, $0.second) }, confidence: confidence)
  }

  /// How far the interval of a mean of these figures reaches to either side; nil if they give none.
  static func reach(of values: [Double], confidence: Double) -> Double? {
    guard values.count > 1, values.allSatisfy(\.isFinite) else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + $1 / count }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let quantile = StudentT(degreesOfFreedom: values.count - 1).quantile(confidence: confidence)
    return quantile * (squares / (count - 1) / count).squareRoot()
  }

  /// The lowest and the highest figure of a moment; nil where one of them has no such figure.
  func range(of figure: (Double, Double) -> Double) -> Interval? {
    let values = moments.map { figure($0.first, $0.second) }
    guard values.allSatisfy(\.isFinite), let low = values.min(), let high = values.max() else { return nil }
    return Interval(low, high)
  }
}
