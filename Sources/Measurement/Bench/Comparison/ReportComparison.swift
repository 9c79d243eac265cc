// Two benchmarks side by side: did something become slower, and were they made under circumstances that can be
// compared?

/// What differs between two benchmarks.
///
/// Ratios are the second over the first.
public struct ReportComparison: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 2

  public var schemaVersion = Self.currentSchemaVersion
  public var kind = "compare"
  /// What differs of the circumstances that matter; the benchmarks are of one host in one state where this is empty.
  public var environment: [Circumstance]
  /// What else is worth knowing of how the two were made, each in a sentence.
  public var notes: [String]
  /// What both clocks count, `cycles` or `instructions`; null where they differ in that.
  @Nullable public var unit: String?
  /// The probability that every interval holds its ratio: 0.95 is 95 % for all of them together.
  public var confidence: Double
  /// How many rounds of a cell both need to have for such an interval.
  public var roundsNeeded: Int
  /// The cells that both measured.
  public var cells: [CellChange]
  /// The ids of cells that only one of them measured.
  public var onlyInFirst: [String]
  public var onlyInSecond: [String]
  /// The cells that both measured and that have no ratio, each with the reason.
  public var void: [VoidCell]
  /// The ids of cells that have a ratio which nobody can judge: they stand on too few rounds, or it has no bounds.
  public var undecided: [String]
  /// What became in the second of the cells that only the first measured.
  public var lost: [Loss]

  /// A circumstance that differs.
  public struct Circumstance: Codable, Equatable, Sendable {
    public var kind: Kind
    public var name: String
    public var first: String
    public var second: String

    /// What it belongs to.
    public enum Kind: String, Codable, CaseIterable, Sendable {
      /// The machine, its kernel, or the clock.
      case host
      /// A parameter of KVM's module.
      case parameter
      /// A mitigation that the kernel reports.
      case mitigation
    }

    public init(kind: Kind = .host, name: String, first: String, second: String) {
      self.kind = kind
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
    /// Its interval, low and high, which holds for all cells at once with the comparison's confidence; null where the
    /// rounds are too few or leave it without bounds.
    @Nullable public var interval: [Double]?
    /// Whether the interval leaves out 1; of clocks that count instructions, whether the medians are further apart than
    /// two measurements of the same program.
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

  /// A cell that both measured and that has no ratio.
  public struct VoidCell: Codable, Equatable, Sendable {
    public var cell: String
    /// Why, in a sentence without a full stop.
    public var reason: String

    public init(cell: String, reason: String) {
      self.cell = cell
      self.reason = reason
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
  /// Rounds of different runs do not belong together, so that each run's rounds are taken by themselves (`RunRatio`). A
  /// cell's figures come from its samples, whatever else the results say of them; where the clock of either cannot be
  /// believed, they are no figures, and every cell is void. Each interval's share of error is
  /// that of the whole comparison over the number of cells that both measured (Bonferroni).
  public init(_ first: BenchReport, _ second: BenchReport) {
    let before = first.cells.filter(\.isMeasured)
    let after = Dictionary(second.cells.filter(\.isMeasured).map { ($0.id, $0) }, uniquingKeysWith: { one, _ in one })
    let common = before.filter { after[$0.id] != nil }
    let confidence = 1 - (1 - Self.wholeConfidence) / Double(max(common.count, 1))
    self.confidence = Self.wholeConfidence
    roundsNeeded = RankSum.fewest(confidence: confidence)
    environment = Circumstance.differences(first, second)
    notes = Self.notes(first, second)
    let unit = first.unit == second.unit ? first.unit : nil
    self.unit = unit
    cells = []
    void = []
    let doubt = Self.doubt(first, second)
    for cell in common {
      if let doubt {
        void.append(VoidCell(cell: cell.id, reason: doubt))
        continue
      }
      do throws(RatioUnknown) {
        let ratio = try RunRatio(
          of: after[cell.id]?.settledRounds ?? [], over: cell.settledRounds, confidence: confidence)
        cells.append(CellChange(cell.id, ratio, isExact: unit == "instructions"))
      } catch {
        void.append(
          VoidCell(cell: cell.id, reason: error.words(dividend: "the second's median", divisor: "the first's median")))
      }
    }
    undecided = unit == "instructions" ? [] : cells.filter { $0.interval == nil }.map(\.cell)
    let unmatched = before.map(\.id).filter { after[$0] == nil }
    onlyInFirst = unmatched
    lost = unmatched.map { Loss($0, in: second) }
    let ids = Set(before.map(\.id))
    onlyInSecond = second.cells.filter(\.isMeasured).map(\.id).filter { !ids.contains($0) }
  }

  /// Why the clock of either cannot be believed, in a sentence without a full stop; nil where both can.
  private static func doubt(_ first: BenchReport, _ second: BenchReport) -> String? {
    let doubts = [("first", first), ("second", second)].compactMap { name, report in
      report.clock.doubt.map { "the \(name)'s clock cannot be believed: \($0)" }
    }
    return doubts.isEmpty ? nil : doubts.joined(separator: "; ")
  }

  /// The confidence of all intervals together.
  private static let wholeConfidence = 0.95
}

extension ReportComparison.CellChange {
  /// How far the medians of one program may lie apart where the clocks count instructions: the lab's tests hold two
  /// runs to it.
  private static let sameCount = 0.001

  fileprivate init(_ id: String, _ ratio: RunRatio, isExact: Bool) {
    let differs = isExact ? abs(ratio.ratio - 1) > Self.sameCount : ratio.interval.map { !$0.contains(1) } ?? false
    self.init(
      cell: id, first: ratio.first, second: ratio.second, ratio: ratio.ratio,
      interval: ratio.interval.map { [$0.lowerBound, $0.upperBound] }, differs: differs, rounds: ratio.rounds)
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
