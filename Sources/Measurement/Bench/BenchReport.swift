// The result of `spectrap bench` as it stands in JSON. Documented in docs/json.md, and formally in
// docs/bench.schema.json; a change of meaning raises `schemaVersion`.

public import Registers

/// One benchmark: its cells, what they say against each other, and what they say about the claims.
public struct BenchReport: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 1

  public var schemaVersion = Self.currentSchemaVersion
  public var kind = "bench"
  /// The version of the program that measured.
  public var version: String
  /// Whether it was ended before all that was asked for was measured.
  public var partial: Bool
  public var ended: Ending
  /// The seed of every random choice: the order of the cells and the bootstrap.
  public var seed: UInt64
  /// The widest interval of a ratio that was good enough, as a share of the ratio: 0.02 is 2 %; null where the number
  /// of rounds was given.
  @Nullable public var precision: Double?
  /// What it was allowed to take, in seconds; null where the number of rounds was given.
  @Nullable public var timeBudget: Double?
  /// How many rounds were asked for; null where precision and time decided.
  @Nullable public var roundBudget: Int?
  /// What it took, in seconds.
  public var elapsed: Double
  public var host: HostReport
  /// The MSR that the policies are about; the claims are about IA32_SPEC_CTRL.
  public var msr: Subject
  public var environment: BenchEnvironment
  /// What may spoil the result, each in a sentence.
  public var warnings: [String]
  public var clock: Clock
  public var cells: [Cell]
  /// The figures of measured cells that are not known, each with the reason.
  public var unknown: [Unknown] = []
  public var comparisons: [Comparison]
  public var verdicts: [Verdict]
  /// Null where too few cells were measured to fit a cost model.
  @Nullable public var breakEven: BreakEven?

  /// Why the measuring ended.
  public enum Ending: String, Codable, CaseIterable, Sendable {
    /// Every ratio's interval was narrow enough.
    case precision
    /// The time was used up.
    case time
    /// The rounds that were asked for were measured.
    case rounds
    /// Somebody ended it.
    case cancelled
  }

  /// The MSR that a benchmark is about.
  public struct Subject: Codable, Equatable, Sendable {
    /// The manual's name where there is one, else the number.
    public var name: String
    public var index: Known<MSR>

    public init(_ msr: MSR) {
      name = "\(msr)"
      index = .known(msr)
    }

    /// The MSR that a benchmark is about unless another is asked for.
    public static let specCtrl = Subject(.specCtrl)

    /// Whether it is IA32_SPEC_CTRL.
    public var isSpecCtrl: Bool { index == .specCtrl }
  }

  /// The clock that all cells are measured with: the guest's time-stamp counter.
  public struct Clock: Codable, Equatable, Sendable {
    /// What a sample costs beside its iterations, in ticks, already taken off every sample; 0 where that is in none,
    /// since samples are differences.
    public var overheadCycles: Double
    /// Ticks per second; null where nobody says.
    @Nullable public var hertz: Double?
    /// Why its figures cannot be believed, without a full stop; null where they can.
    @Nullable public var doubt: String?

    public init(overheadCycles: Double, hertz: Double?, doubt: String? = nil) {
      self.overheadCycles = overheadCycles
      self.hertz = hertz
      self.doubt = doubt
    }
  }

  public init(
    version: String, partial: Bool, ended: Ending, seed: UInt64, precision: Double?, timeBudget: Double?,
    roundBudget: Int? = nil, elapsed: Double, host: HostReport, msr: Subject = .specCtrl, environment: BenchEnvironment,
    warnings: [String],
    clock: Clock, cells: [Cell], comparisons: [Comparison] = [], verdicts: [Verdict] = [], breakEven: BreakEven? = nil
  ) {
    self.version = version
    self.partial = partial
    self.ended = ended
    self.seed = seed
    self.precision = precision
    self.timeBudget = timeBudget
    self.roundBudget = roundBudget
    self.elapsed = elapsed
    self.host = host
    self.msr = msr
    self.environment = environment
    self.warnings = warnings
    self.clock = clock
    self.cells = cells
    self.comparisons = comparisons
    self.verdicts = verdicts
    self.breakEven = breakEven
  }

  /// What the clock counts: `cycles` or `instructions`.
  public var unit: String { countsInstructions ? "instructions" : "cycles" }

  /// The cell of this id.
  public func cell(_ id: String) -> Cell? { cells.first { $0.id == id } }
}

extension KeyedDecodingContainer {
  /// What the synthesised decoding of a report calls: results from before there was the key are about IA32_SPEC_CTRL.
  func decode(_ type: BenchReport.Subject.Type, forKey key: Key) throws -> BenchReport.Subject {
    try decodeIfPresent(type, forKey: key) ?? .specCtrl
  }
}
