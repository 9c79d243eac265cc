// Two benchmarks side by side: did something become slower, and were they made under circumstances that can be compared?

/// What differs between two benchmarks.
///
/// Ratios are the second over the first.
public struct ReportComparison: Codable, Equatable, Sendable {
  public var schemaVersion = BenchReport.currentSchemaVersion
  public var kind = "compare"
  /// What differs of the circumstances that matter; the benchmarks are of one host in one state where this is empty.
  public var environment: [Circumstance]
  /// What else is worth knowing of how the two were made, each in a sentence.
  public var notes: [String]
  /// What both clocks count, `cycles` or `instructions`; null where they differ in that.
  @Nullable public var unit: String?
  /// The cells that both measured.
  public var cells: [CellChange]
  /// The ids of cells that only one of them measured.
  public var onlyInFirst: [String]
  public var onlyInSecond: [String]
  /// The ids of cells that both measured and that have no ratio: the first median is not above zero.
  public var withoutRatio: [String]
  /// The ids of cells that have a ratio which nobody can judge: they stand on too few rounds, or it has no bounds.
  public var undecided: [String]
  /// What became in the second of the cells that only the first measured.
  public var lost: [Loss]

  /// A circumstance that differs.
  public struct Circumstance: Codable, Equatable, Sendable {
    public var name: String
    public var first: String
    public var second: String

    public init(name: String, first: String, second: String) {
      self.name = name
      self.first = first
      self.second = second
    }
  }

  /// A cell in both.
  public struct CellChange: Codable, Equatable, Sendable {
    public var cell: String
    /// The medians per iteration, in the clocks' unit.
    public var first: Double
    public var second: Double
    /// The second median over the first.
    public var ratio: Double
    /// Its 95 % interval: low, high; null where the samples leave it without bounds.
    @Nullable public var interval: [Double]?
    /// Whether the interval leaves out 1 and stands on enough rounds.
    public var differs: Bool
    /// How many rounds the interval stands on: those of the result that has fewer.
    public var rounds: Int

    public init(
      cell: String, first: Double, second: Double, ratio: Double, interval: [Double]?, differs: Bool, rounds: Int
    ) {
      self.cell = cell
      self.first = first
      self.second = second
      self.ratio = ratio
      self.interval = interval
      self.differs = differs
      self.rounds = rounds
    }
  }

  /// A cell that the first measured and the second did not.
  public struct Loss: Codable, Equatable, Sendable {
    public var cell: String
    public var fate: Fate
    /// Why, in a sentence, where the second says so.
    @Nullable public var reason: String?

    /// What became of it.
    public enum Fate: String, Codable, CaseIterable, Sendable {
      /// The second does not have it.
      case missing
      /// The second was to measure it and has no samples of it.
      case notReached
      case unsupported
      case void
      case failed
    }

    public init(cell: String, fate: Fate, reason: String?) {
      self.cell = cell
      self.fate = fate
      self.reason = reason
    }
  }

  /// Compares two benchmarks cell by cell.
  ///
  /// Rounds of different runs do not belong together, so that each run's rounds are drawn by themselves.
  public init(_ first: BenchReport, _ second: BenchReport) {
    environment = Circumstance.differences(first, second)
    notes = Self.notes(first, second)
    let before = first.cells.filter(\.isMeasured)
    let after = second.cells.filter(\.isMeasured)
    let unit = first.unit == second.unit ? first.unit : nil
    self.unit = unit
    cells = before.compactMap { cell in
      after.first { $0.id == cell.id }.flatMap { CellChange(cell, $0, seed: first.seed) }
    }
    let compared = Set(cells.map(\.cell))
    withoutRatio = before.map(\.id).filter { id in !compared.contains(id) && after.contains { $0.id == id } }
    let unmatched = before.map(\.id).filter { id in !after.contains { $0.id == id } }
    onlyInFirst = unmatched
    lost = unmatched.map { Loss($0, in: second) }
    onlyInSecond = after.map(\.id).filter { id in !before.contains { $0.id == id } }
    undecided = unit == "instructions" ? [] : cells.filter { !$0.canBeJudged }.map(\.cell)
  }
}

extension ReportComparison.CellChange {
  /// Whether the interval can be taken at its word.
  fileprivate var canBeJudged: Bool { interval != nil && rounds >= RatioEstimate.fewestRounds }

  fileprivate init?(_ first: BenchReport.Cell, _ second: BenchReport.Cell, seed: UInt64) {
    guard let before = first.summary?.median, let after = second.summary?.median, before > 0 else { return nil }
    let estimate = RatioEstimate(
      of: second.settledRounds, over: first.settledRounds, paired: false,
      generator: SeededGenerator(seed: seed, stream: "compare \(first.id)"))
    self.init(
      cell: first.id, first: before, second: after, ratio: after / before,
      interval: estimate.map { [$0.interval.lowerBound, $0.interval.upperBound] }, differs: estimate?.differs ?? false,
      rounds: [first, second].map { $0.settledRounds.count { !$0.isEmpty } }.min() ?? 0)
  }
}

extension ReportComparison.Loss {
  fileprivate init(_ id: String, in report: BenchReport) {
    let cell = report.cell(id)
    let fate: Fate =
      switch cell?.status {
      case nil: .missing
      case .measured?: .notReached
      case .unsupported?: .unsupported
      case .void?: .void
      case .failed?: .failed
      }
    self.init(cell: id, fate: fate, reason: cell?.reason)
  }
}
