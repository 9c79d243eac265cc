// The JSON result of `spectrap bench`. Documented in docs/json.md, and formally in
// docs/bench.schema.json; a change of meaning raises `schemaVersion`.

public import Registers

/// One benchmark: its cells, their comparisons, and the verdicts on the claims.
public struct BenchReport: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 2
  /// The versions that this program reads: version 1 has no identity.
  public static let readableSchemaVersions = 1...currentSchemaVersion

  public let schemaVersion: Int
  public let kind: String
  /// The host, the moment and the run; null in results of version 1.
  @Nullable public private(set) var identity: ResultIdentity?
  /// The version of the program that measured.
  public let version: String
  /// Whether it ended early.
  public let partial: Bool
  public let ended: Ending
  /// The seed of every random choice: the order of the cells and the bootstrap.
  public let seed: UInt64
  /// The widest interval of a ratio that was good enough, as a share of the ratio: 0.02 is 2 %; null where the number
  /// of rounds was given.
  @Nullable public private(set) var precision: Double?
  /// Its time budget in seconds; null where the number of rounds was given.
  @Nullable public private(set) var timeBudget: Double?
  /// The number of rounds that was given; null where precision and time decided.
  @Nullable public private(set) var roundBudget: Int?
  /// Its duration in seconds.
  public let elapsed: Double
  public let host: HostReport
  /// The MSR that the policies are about; the claims are about IA32_SPEC_CTRL.
  public let msr: Subject
  public let environment: BenchEnvironment
  /// Warnings, one sentence each.
  public let warnings: [String]
  public let clock: Clock
  public let cells: [Cell]
  /// The figures of measured cells that are not known, each with the reason.
  public let unknown: [Unknown]
  public let comparisons: [Comparison]
  public let verdicts: [Verdict]
  /// Which policy to use; null in results of older versions.
  @Nullable public private(set) var recommendations: [Recommendation]?
  /// Null where too few cells were measured to fit a cost model.
  @Nullable public private(set) var breakEven: BreakEven?

  /// Why the measuring ended.
  public enum Ending: String, Codable, CaseIterable, Sendable {
    /// Every ratio's interval was narrow enough.
    case precision
    /// The time was used up.
    case time
    /// The rounds that were asked for were measured.
    case rounds
    /// It was cancelled.
    case cancelled
  }

  /// The MSR that a benchmark is about.
  public struct Subject: Codable, Equatable, Sendable {
    /// The manual's name where there is one, else the number.
    public let name: String
    public let index: Known<MSR>

    public init(_ msr: MSR) {
      name = "\(msr)"
      index = .known(msr)
    }

    /// The default subject.
    public static let specCtrl = Subject(.specCtrl)

    /// Whether it is IA32_SPEC_CTRL.
    public var isSpecCtrl: Bool { index == .specCtrl }
  }

  /// The clock that all cells are measured with: the guest's time-stamp counter.
  public struct Clock: Codable, Equatable, Sendable {
    /// The fixed cost of a sample in ticks, already subtracted; 0 where samples are differences and have none.
    public let overheadCycles: Double
    /// Ticks per second; null where that is not known.
    @Nullable public private(set) var hertz: Double?
    /// Why its figures are wrong, without a full stop; null where no contradiction is known.
    @Nullable public private(set) var doubt: String?

    public init(overheadCycles: Double, hertz: Double?, doubt: String? = nil) {
      self.overheadCycles = overheadCycles
      self.hertz = hertz
      self.doubt = doubt
    }
  }

  /// The report of a benchmark: statistics, warnings, comparisons, verdicts, break-even.
  public init(_ record: BenchRecord) {
    let cells = record.cells.map {
      Cell($0, seed: record.seed, isExact: record.environment.isExact, unit: record.unit)
    }
    let doubt = record.clock.doubt ?? (record.environment.isExact ? nil : Self.doubtOfClock(cells))
    let words = doubt.map { "the clock cannot be believed, and nothing is decided by it: \($0)" }
    schemaVersion = Self.currentSchemaVersion
    kind = "bench"
    identity = record.identity
    version = record.version
    partial = record.ended == .cancelled
    ended = record.ended
    seed = record.seed
    precision = record.precision
    timeBudget = record.timeBudget
    roundBudget = record.roundBudget
    elapsed = record.elapsed
    host = record.host
    msr = record.msr
    environment = record.environment
    warnings =
      ([words].compactMap { $0 } + record.warnings + Self.deviations(of: record.cells) + Self.warnings(of: cells)
      + [record.lackOfRounds, record.briefness].compactMap { $0 }).uniqued
    clock = Clock(overheadCycles: record.clock.overheadCycles, hertz: record.clock.hertz, doubt: doubt)
    self.cells = cells
    unknown = Self.openFigures(of: cells, record.estimates)
    comparisons = record.comparisons(isDoubted: doubt != nil)
    // The cost model is fitted to the rounds of one host.
    breakEven =
      record.unit == .rounds
      ? BreakEven(
        cells: record.cells, isExact: record.environment.isExact, seed: record.seed, doubtOfClock: doubt) : nil
    verdicts = Claim.allCases.map { Verdict(on: $0, from: record, doubtOfClock: doubt) }
    recommendations = record.recommendations(doubtOfClock: doubt)
  }

  /// The record from which the report was made.
  package var record: BenchRecord {
    BenchRecord(
      identity: identity, version: version, ended: ended, seed: seed, precision: precision, timeBudget: timeBudget,
      roundBudget: roundBudget, elapsed: elapsed, host: host, msr: msr, environment: environment, warnings: warnings,
      clock: clock, cells: cells.map(\.record))
  }

  /// What the clock counts: `cycles` or `instructions`.
  public var unit: String { environment.unit }

  /// The comparisons between its cells.
  package var estimates: Estimates { Estimates(seed: seed, isExact: environment.isExact) }

  /// The comparison of this cell with its baseline.
  public func comparison(of cell: Cell) -> Comparison? {
    comparisons.first { $0.cell == cell.id && $0.baseline == cell.baseline }
  }

  /// The cell of this id.
  public func cell(_ id: String) -> Cell? { cells.first { $0.id == id } }
}

extension BenchRecord {
  /// A warning about intervals from too few rounds; nil where there are enough, or the clock has no noise.
  fileprivate var lackOfRounds: String? {
    guard !environment.isExact,
      let rounds = cells.filter(\.isMeasured).map({ $0.rounds.count { !$0.isEmpty } }).min(),
      rounds < unit.fewest(confidence: 0.95)
    else { return nil }
    let (few, fewest) = (rounds == 1 ? unit.name.one : unit.name.many, unit.fewest(confidence: 0.95))
    switch unit {
    case .rounds:
      return "a cell was measured in only \(rounds) \(few): intervals from fewer than \(fewest) are not reliable"
    case .hosts: return "too few hosts: \(rounds), but an interval needs \(fewest); ranges are shown instead"
    }
  }

  /// A warning about a benchmark that saw few moments of the machine; nil where the clock has no noise, of hosts, and
  /// where `lackOfRounds` says more.
  fileprivate var briefness: String? {
    guard unit == .rounds, !environment.isExact, lackOfRounds == nil, cells.contains(where: \.isMeasured),
      elapsed < Self.fewMoments
    else { return nil }
    return "the benchmark lasted \(Decimal.text(elapsed, digits: 1)) s: costs change from one moment to the next, and "
      + "the intervals of costs and differences show only the moments in that time; give more --time or --spread"
  }

  /// A benchmark that is shorter than this many seconds shows few moments of the machine.
  private static var fewMoments: Double { 10 }

  /// The comparison of each cell with the baseline that it is divided by.
  fileprivate func comparisons(isDoubted: Bool) -> [BenchReport.Comparison] {
    pairs(for: .divide).compactMap { cell, baseline in
      guard let ratio = estimates.ratio(cell, over: baseline) else { return nil }
      let difference = estimates.difference(cell, minus: baseline)
      return BenchReport.Comparison(
        cell: cell.id, baseline: baseline.id, ratio: ratio.ratio, interval: ratio.interval,
        differs: ratio.differs && !isDoubted, difference: difference?.difference,
        differenceInterval: difference?.interval)
    }
  }
}

extension KeyedDecodingContainer {
  /// Called by the synthesised decoding of a report; older results without the key are about IA32_SPEC_CTRL.
  func decode(_ type: BenchReport.Subject.Type, forKey key: Key) throws -> BenchReport.Subject {
    try decodeIfPresent(type, forKey: key) ?? .specCtrl
  }
}
