// What a benchmark measured, and under which circumstances: all that its report is made of.

/// A benchmark as it was measured.
public struct BenchRecord: Sendable {
  /// The version of the program that measured.
  public var version: String
  public var ended: BenchReport.Ending
  /// The seed of every random choice: the order of the cells and the bootstrap.
  public var seed: UInt64
  /// The widest interval of a ratio that was good enough, as a share of the ratio; nil where the number of rounds was
  /// given.
  public var precision: Double?
  /// What it was allowed to take, in seconds; nil where the number of rounds was given.
  public var timeBudget: Double?
  /// How many rounds were asked for; nil where precision and time decided.
  public var roundBudget: Int?
  /// What it took, in seconds.
  public var elapsed: Double
  public var host: HostReport
  public var msr: BenchReport.Subject
  public var environment: BenchEnvironment
  /// What of the circumstances may spoil the result, each in a sentence.
  public var warnings: [String]
  /// The clock, with what its own samples say against it.
  public var clock: BenchReport.Clock
  public var cells: [CellRecord]

  public init(
    version: String, ended: BenchReport.Ending, seed: UInt64, precision: Double?, timeBudget: Double?,
    roundBudget: Int? = nil, elapsed: Double, host: HostReport, msr: BenchReport.Subject = .specCtrl,
    environment: BenchEnvironment, warnings: [String] = [], clock: BenchReport.Clock, cells: [CellRecord]
  ) {
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

  /// What its cells say against each other.
  var estimates: Estimates { Estimates(seed: seed) }

  /// The measured cells whose baseline was measured, too, with that baseline; those for one use of it, or all.
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
  /// Where there is no ratio nothing can be known; no where none was asked for. The rounds must be enough for the
  /// verdicts, too.
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
