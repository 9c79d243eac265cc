// The record of a benchmark: its measurements and circumstances, from which its report is made.

/// The record of a benchmark.
public struct BenchRecord: Sendable {
  /// The host, the moment and the run; nil in results of version 1.
  public var identity: ResultIdentity?
  /// The version of the program.
  public var version: String
  public var ended: BenchReport.Ending
  /// The seed of every random choice: the order of the cells and the bootstrap.
  public var seed: UInt64
  /// The widest interval of a ratio that was good enough, as a share of the ratio; nil where the number of rounds was
  /// given.
  public var precision: Double?
  /// Its time budget in seconds; nil where the number of rounds was given.
  public var timeBudget: Double?
  /// The number of rounds that was given; nil where precision and time decided.
  public var roundBudget: Int?
  /// Its duration in seconds.
  public var elapsed: Double
  public var host: HostReport
  public var msr: BenchReport.Subject
  public var environment: BenchEnvironment
  /// Warnings about the circumstances, one sentence each.
  public var warnings: [String]
  /// The clock, with doubts from its own samples.
  public var clock: BenchReport.Clock
  public var cells: [CellRecord]
  /// The same host's records with kvm-intel in other modes of switching SPEC_CTRL, for verdicts that compare modes.
  public var otherModes: [BenchRecord] = []
  /// What each round of a cell stands for.
  package var unit = Unit.rounds

  /// The thing that is repeated in a record, and differs by chance.
  package enum Unit: Sendable {
    /// Rounds of one host.
    case rounds
    /// Hosts of a class: each round is one host, and its only sample is that host's median.
    case hosts

    /// The words for one and for many of them.
    var name: (one: String, many: String) {
      switch self {
      case .rounds: ("round", "rounds")
      case .hosts: ("host", "hosts")
      }
    }

    /// The fewest for an interval of this confidence.
    ///
    /// Intervals over rounds are drawn. The interval of a median over hosts lies between two hosts, so there must be
    /// enough of them that the extremes rarely leave out the median.
    func fewest(confidence: Double) -> Int {
      switch self {
      case .rounds: RatioEstimate.fewestRounds(confidence: confidence)
      case .hosts: OrderStatistics.fewest(confidence: confidence)
      }
    }
  }

  public init(
    identity: ResultIdentity? = nil, version: String, ended: BenchReport.Ending, seed: UInt64, precision: Double?,
    timeBudget: Double?,
    roundBudget: Int? = nil, elapsed: Double, host: HostReport, msr: BenchReport.Subject = .specCtrl,
    environment: BenchEnvironment, warnings: [String] = [], clock: BenchReport.Clock, cells: [CellRecord]
  ) {
    self.identity = identity
    self.version = version
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
  }

  /// The cell of this id.
  func cell(_ id: String) -> CellRecord? { cells.first { $0.id == id } }

  /// The comparisons between its cells.
  var estimates: Estimates { Estimates(seed: seed, isExact: environment.isExact, unit: unit) }

  /// The measured cells with their measured baselines, for one use of the baseline or for all.
  func pairs(for use: CellRecord.BaselineUse? = nil) -> [(cell: CellRecord, baseline: CellRecord)] {
    cells.compactMap { cell in
      guard cell.isMeasured, let own = cell.baselineUse, use == nil || own == use, let id = cell.baseline,
        id != cell.id, let baseline = self.cell(id), baseline.isMeasured
      else { return nil }
      return (cell, baseline)
    }
  }

  /// Whether every cell's ratio to its baseline, a primitive's to its loop among them, is known to the precision asked
  /// for.
  ///
  /// False where a ratio is missing, and where no precision was given. The rounds must also be enough for the verdicts.
  public var reachesPrecision: Bool {
    guard let precision else { return false }
    let compared = pairs()
    let rounds = fewestRoundsOfVerdicts
    return !compared.isEmpty
      && compared.allSatisfy {
        guard let ratio = estimates.ratio($0.cell, over: $0.baseline) else { return false }
        return ratio.rounds >= rounds && ratio.reaches(precision: precision)
      }
  }
}
