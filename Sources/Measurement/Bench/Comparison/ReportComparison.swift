// Compares two benchmarks: their cells and their circumstances.

public import Registers

/// The differences between two benchmarks.
///
/// Ratios are the second over the first.
public struct ReportComparison: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 2

  public let schemaVersion: Int
  public let kind: String
  /// The circumstances that differ and matter; empty where both were made on one host in one state.
  public let environment: [Circumstance]
  /// How KVM switched SPEC_CTRL in each, if that differs: the comparison is then about it.
  ///
  /// Null if it does not differ, or if a result does not say.
  @Nullable public private(set) var modes: Modes?
  /// Other differences between the two, one sentence each.
  public let notes: [String]
  /// The unit of both clocks, `cycles` or `instructions`; null where they differ in it.
  @Nullable public private(set) var unit: String?
  /// The probability that every interval holds its ratio: 0.95 is 95 % for all of them together.
  public let confidence: Double
  /// The factor by which all cells together became slower, the median of their ratios; null for fewer than two cells,
  /// and where the clocks count instructions.
  @Nullable public private(set) var shift: Double?
  /// The ids of cells that differ, but not after the shift that the other cells share is allowed for.
  public let shifted: [String]
  /// How many rounds of a cell both results need for an interval of that confidence.
  public let roundsNeeded: Int
  /// The cells that both measured.
  public let cells: [CellChange]
  /// The ids of cells that only one of them measured.
  public let onlyInFirst: [String]
  public let onlyInSecond: [String]
  /// The cells that both measured and that have no ratio, each with the reason.
  public let void: [VoidCell]
  /// The ids of cells whose ratio cannot be judged: it has too few rounds, or no bounds.
  public let undecided: [String]
  /// The cells that only the first measured, and why the second did not.
  public let lost: [Loss]

  /// A circumstance that differs.
  public struct Circumstance: Codable, Equatable, Sendable {
    public let kind: Kind
    public let name: String
    public let first: String
    public let second: String

    /// The kind of the circumstance.
    public enum Kind: String, Codable, CaseIterable, Sendable {
      /// The machine, its kernel, or the clock.
      case host
      /// A parameter of KVM's module.
      case parameter
      /// A mitigation that the kernel reports.
      case mitigation
    }
  }

  /// Two ways in which KVM switches SPEC_CTRL.
  public struct Modes: Codable, Equatable, Sendable {
    public let first: Known<SpecCtrlMode>
    public let second: Known<SpecCtrlMode>
  }

  /// A cell in both.
  public struct CellChange: Codable, Equatable, Sendable {
    public let cell: String
    /// The medians per iteration, in the clocks' unit.
    public let first: Double
    public let second: Double
    /// The second median over the first.
    public let ratio: Double
    /// Its interval, which holds for all cells at once with the comparison's confidence, and holds the ratio both with
    /// the shift of the other cells and without; null where the rounds are too few or leave it without bounds.
    @Nullable public private(set) var interval: Interval?
    /// Whether the interval leaves out 1; of clocks that count instructions, whether the medians are further apart than
    /// two measurements of the same program.
    public let differs: Bool
    /// The number of rounds behind the interval, of the result that has fewer.
    public let rounds: Int
  }

  /// A cell that both measured and that has no ratio.
  public struct VoidCell: Codable, Equatable, Sendable {
    public let cell: String
    /// Why, in a sentence without a full stop.
    public let reason: String
  }

  /// A cell that the first measured and the second did not.
  public struct Loss: Codable, Equatable, Sendable {
    public let cell: String
    public let fate: Fate
    /// Why, in a sentence, where the second says so.
    @Nullable public private(set) var reason: String?

    /// Why it is missing.
    public enum Fate: String, Codable, CaseIterable, Sendable {
      /// The second does not have it.
      case missing
      /// The second planned it and has no samples of it.
      case notReached
      case unsupported, void, failed
    }
  }

  /// Compares two benchmarks cell by cell.
  ///
  /// Rounds of different runs do not belong together, so each run's rounds are taken by themselves (`RunRatio`). A
  /// cell's figures come from its samples only. If either clock cannot be believed, every cell is void. Each interval's
  /// share of error is that of the whole comparison over the number of cells that both measured (Bonferroni). Each
  /// interval is widened by what the other cells have in common (`CommonShift`).
  public init(_ first: BenchReport, _ second: BenchReport) { self.init(first.record, second.record) }

  init(_ first: BenchRecord, _ second: BenchRecord) {
    let before = first.cells.filter(\.isMeasured)
    let after = Dictionary(second.cells.filter(\.isMeasured).map { ($0.id, $0) }, uniquingKeysWith: { one, _ in one })
    let common = before.compactMap { cell in after[cell.id].map { (before: cell, after: $0) } }
    let confidence = 1 - (1 - Self.wholeConfidence) / Double(max(common.count, 1))
    let unit = first.environment.unit == second.environment.unit ? first.environment.unit : nil
    let isExact = first.environment.isExact && second.environment.isExact
    let doubt = Self.doubt(first, second)
    var ratios: [(cell: String, ratio: RunRatio)] = []
    var void: [VoidCell] = []
    for cell in common {
      if let doubt {
        void.append(VoidCell(cell: cell.before.id, reason: doubt))
        continue
      }
      do throws(RatioUnknown) {
        let ratio = try RunRatio(
          of: cell.after.settledRounds, over: cell.before.settledRounds, confidence: confidence)
        ratios.append((cell.before.id, ratio))
      } catch {
        let why = error.text(dividend: "the second's median", divisor: "the first's median")
        void.append(VoidCell(cell: cell.before.id, reason: why))
      }
    }
    let shift = isExact ? nil : CommonShift(ratios.map(\.ratio.ratio))
    let changes = ratios.enumerated().map { index, cell in
      let interval = cell.ratio.interval.flatMap { own in shift.map { $0.allowed(own, at: index) } ?? own }
      return CellChange(cell.cell, cell.ratio, interval: interval, isExact: isExact)
    }
    let unmatched = before.map(\.id).filter { after[$0] == nil }
    let ids = Set(before.map(\.id))
    schemaVersion = Self.currentSchemaVersion
    kind = "compare"
    environment = Circumstance.differences(first, second)
    _modes = Nullable(wrappedValue: Modes(first.host, second.host))
    notes = Self.notes(first, second) + Self.mechanisms(common)
    _unit = Nullable(wrappedValue: unit)
    self.confidence = Self.wholeConfidence
    _shift = Nullable(wrappedValue: shift?.factor)
    shifted = zip(ratios, changes).compactMap { own, change in
      let differs = own.ratio.interval.map { !$0.contains(1) } ?? false
      return differs && !change.differs && !isExact ? change.cell : nil
    }
    roundsNeeded = RankSum.fewest(confidence: confidence)
    cells = changes
    onlyInFirst = unmatched
    onlyInSecond = second.cells.filter(\.isMeasured).map(\.id).filter { !ids.contains($0) }
    self.void = void
    undecided = isExact ? [] : changes.filter { $0.interval == nil }.map(\.cell)
    lost = unmatched.map { Loss($0, in: second) }
  }

  /// Why the clock of either is wrong, in a sentence without a full stop; nil where both are right.
  private static func doubt(_ first: BenchRecord, _ second: BenchRecord) -> String? {
    let doubts = [("first", first), ("second", second)].compactMap { name, record in
      record.clock.doubt.map { "the \(name)'s clock cannot be believed: \($0)" }
    }
    return doubts.isEmpty ? nil : doubts.joined(separator: "; ")
  }

  /// The confidence of all intervals together.
  private static let wholeConfidence = 0.95
}

extension ReportComparison.CellChange {
  /// The largest difference of the medians of one program where the clocks count instructions; the lab's tests check
  /// two runs for it.
  private static let sameCount = 0.001

  fileprivate init(_ id: String, _ ratio: RunRatio, interval: Interval?, isExact: Bool) {
    let differs = isExact ? abs(ratio.ratio - 1) > Self.sameCount : interval.map { !$0.contains(1) } ?? false
    self.init(
      cell: id, first: ratio.first, second: ratio.second, ratio: ratio.ratio, interval: interval, differs: differs,
      rounds: ratio.rounds)
  }
}

extension ReportComparison.Loss {
  fileprivate init(_ id: String, in record: BenchRecord) {
    let cell = record.cell(id)
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
