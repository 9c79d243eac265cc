// Two benchmarks side by side: did something become slower, and were they made under circumstances that can be compared?

/// What differs between two benchmarks.
///
/// Ratios are the second over the first.
public struct ReportComparison: Codable, Equatable, Sendable {
  public var schemaVersion = BenchReport.currentSchemaVersion
  public var kind = "compare"
  /// What differs of the circumstances that matter; the benchmarks are of one host in one state where this is empty.
  public var environment: [Circumstance]
  /// What both clocks count, `cycles` or `instructions`; null where they differ in that.
  @Nullable public var unit: String?
  /// The cells that both measured.
  public var cells: [CellChange]
  /// The ids of cells that only one of them measured.
  public var onlyInFirst: [String]
  public var onlyInSecond: [String]
  /// The ids of cells that both measured and that have no ratio: the first median is not above zero.
  public var withoutRatio: [String]

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

    public init(cell: String, first: Double, second: Double, ratio: Double, interval: [Double]?, differs: Bool) {
      self.cell = cell
      self.first = first
      self.second = second
      self.ratio = ratio
      self.interval = interval
      self.differs = differs
    }
  }

  /// Compares two benchmarks cell by cell.
  ///
  /// Rounds of different runs do not belong together, so that each run's rounds are drawn by themselves.
  public init(_ first: BenchReport, _ second: BenchReport) {
    environment = Circumstance.differences(first, second)
    let before = first.cells.filter(\.isMeasured)
    let after = second.cells.filter(\.isMeasured)
    unit = first.unit == second.unit ? first.unit : nil
    cells = before.compactMap { cell in
      after.first { $0.id == cell.id }.flatMap { CellChange(cell, $0, seed: first.seed) }
    }
    let compared = Set(cells.map(\.cell))
    withoutRatio = before.map(\.id).filter { id in !compared.contains(id) && after.contains { $0.id == id } }
    onlyInFirst = before.map(\.id).filter { id in !after.contains { $0.id == id } }
    onlyInSecond = after.map(\.id).filter { id in !before.contains { $0.id == id } }
  }

  /// Whether medians are to be taken at their word: clocks that count instructions have no noise.
  private var isExact: Bool { unit == "instructions" }

  /// The cells that became dearer by more than a share: 0.05 is 5 %.
  ///
  /// The ratio has to exceed the threshold and its interval to leave out 1, so that noise alone does not count. Of 100
  /// unchanged cells at most about 5 have such an interval; a threshold above the noise keeps them out. Where both clocks
  /// count instructions the ratio decides by itself, after however few rounds.
  public func regressions(threshold: Double) -> [CellChange] {
    cells.filter { (isExact || $0.differs) && $0.ratio > 1 + threshold }
  }

  /// The cells that became cheaper by more than a share, in the same sense: the first is dearer than the second by more.
  public func improvements(threshold: Double) -> [CellChange] {
    cells.filter { (isExact || $0.differs) && $0.ratio * (1 + threshold) < 1 }
  }

  /// The ids of all cells that are not the same in both, within a share: dearer, cheaper, measured by one alone, or without a
  /// ratio.
  public func changes(threshold: Double) -> [String] {
    (regressions(threshold: threshold) + improvements(threshold: threshold)).map(\.cell) + onlyInFirst + onlyInSecond
      + withoutRatio
  }
}

extension ReportComparison.CellChange {
  fileprivate init?(_ first: BenchReport.Cell, _ second: BenchReport.Cell, seed: UInt64) {
    guard let before = first.summary?.median, let after = second.summary?.median, before > 0 else { return nil }
    let estimate = RatioEstimate(
      of: second.settledRounds, over: first.settledRounds, paired: false,
      generator: SeededGenerator(seed: seed, stream: "compare \(first.id)"))
    self.init(
      cell: first.id, first: before, second: after, ratio: after / before,
      interval: estimate.map { [$0.interval.lowerBound, $0.interval.upperBound] }, differs: estimate?.differs ?? false)
  }
}

extension ReportComparison.Circumstance {
  /// What differs of what matters: processor, microcode, kernel, KVM's module and its parameters, mitigations, SMT,
  /// frequency control, the machine below, and what the clock counts.
  static func differences(_ first: BenchReport, _ second: BenchReport) -> [Self] {
    let one = first.host
    let other = second.host
    func text(_ value: (some CustomStringConvertible)?) -> String { value.map { "\($0)" } ?? "unknown" }
    let plain: [(name: String, first: String, second: String)] = [
      ("CPU vendor", text(one.cpu.vendor), text(other.cpu.vendor)),
      ("CPU model", text(one.cpu.model), text(other.cpu.model)),
      ("CPU family", text(one.cpu.family), text(other.cpu.family)),
      ("CPU model number", text(one.cpu.modelNumber), text(other.cpu.modelNumber)),
      ("CPU stepping", text(one.cpu.stepping), text(other.cpu.stepping)),
      ("microcode", text(one.cpu.microcode), text(other.cpu.microcode)),
      ("kernel", text(one.kernel), text(other.kernel)),
      ("KVM module", one.module, other.module),
      ("SMT", text(one.smt), text(other.smt)),
      ("governors", one.governors.words, other.governors.words),
      ("turbo", text(one.turbo), text(other.turbo)),
      ("virtualised by", one.machineBelow, other.machineBelow),
      ("speculative store bypass", one.processStoreBypass, other.processStoreBypass),
      ("indirect branch speculation", one.processIndirectBranch, other.processIndirectBranch),
      (
        "clock counts instructions", text(first.environment.countsInstructions),
        text(second.environment.countsInstructions)
      ),
    ]
    return plain.filter { $0.first != $0.second }.map { Self(name: $0.name, first: $0.first, second: $0.second) }
      + differences("parameter", one.moduleParameters, other.moduleParameters)
      + differences("mitigation", one.vulnerabilities, other.vulnerabilities)
  }

  private static func differences(_ what: String, _ first: [String: String], _ second: [String: String]) -> [Self] {
    Set(first.keys).union(second.keys).sorted().filter { first[$0] != second[$0] }.map {
      Self(name: "\(what) \($0)", first: first[$0] ?? "none", second: second[$0] ?? "none")
    }
  }
}

extension HostReport {
  fileprivate var machineBelow: String { isVirtualised ? hypervisor ?? "an unknown hypervisor" : "bare metal" }
}

extension [String] {
  fileprivate var words: String { isEmpty ? "none" : sorted().joined(separator: ", ") }
}
