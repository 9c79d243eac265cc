// The conclusions from the cells: comparisons of two cells, and verdicts on the claims.

extension BenchReport {
  /// A cell's cost over its baseline's.
  public struct Comparison: Codable, Equatable, Sendable {
    /// The id of the cell whose cost is divided.
    public let cell: String
    /// The id of the cell that it is divided by.
    public let baseline: String
    /// The ratio of their medians.
    public let ratio: Double
    /// Its 95 % interval.
    public let interval: Interval
    /// Whether the interval leaves out 1.
    public let differs: Bool
    /// The difference of the medians, in the clock's unit; missing in results of older versions.
    public let difference: Double?
    /// Its 95 % interval.
    public let differenceInterval: Interval?
  }

  /// What the measurement says about a claim of 2018.
  public struct Verdict: Codable, Equatable, Sendable {
    public let claim: Claim
    public let outcome: Outcome
    public let figures: [Figure]
    /// One sentence.
    public let reason: String
    /// The verdict of a real kernel's work; missing where none was measured, and for claims about something else.
    public let kernel: Confirmation?

    /// The outcome for a claim.
    public enum Outcome: String, Codable, CaseIterable, Sendable {
      case holds
      case doesNotHold
      /// This host does not have what the claim is about, or cannot measure it.
      case cannotBeTested
      /// This benchmark did not measure it.
      case notMeasured
      /// More rounds would decide it.
      case notEnoughRounds
      /// The intervals are too wide, or the clock cannot be believed.
      case notDecided
    }

    /// A second witness of a claim: the work of a Linux kernel.
    public struct Confirmation: Codable, Equatable, Sendable {
      /// The outcome by the kernel's figures alone.
      public let outcome: Outcome
      /// Whether the kernel's figures and those of the small guests agree; null where either are undecided.
      @Nullable public private(set) var agrees: Bool?
      public let figures: [Figure]
      /// One sentence.
      public let reason: String

      public init(outcome: Outcome, agrees: Bool?, figures: [Figure], reason: String) {
        self.outcome = outcome
        self.agrees = agrees
        self.figures = figures
        self.reason = reason
      }
    }

    public init(
      claim: Claim, outcome: Outcome, figures: [Figure], reason: String, kernel: Confirmation? = nil
    ) {
      self.claim = claim
      self.outcome = outcome
      self.figures = figures
      self.reason = reason
      self.kernel = kernel
    }
  }

  /// A number that a verdict is based on.
  public struct Figure: Codable, Equatable, Sendable {
    public let name: String
    public let value: Double
    /// Its interval, with the confidence that the claim's rule asks for; null where it has none.
    @Nullable public private(set) var interval: Interval?
    /// The clock's: `cycles`, or `instructions` where it counts those; `x` for a ratio.
    public let unit: String
  }

  /// The claims, as the project numbers them.
  public enum Claim: String, Codable, CaseIterable, Sendable {
    case c1 = "C1"
    case c2 = "C2"
    case c3 = "C3"
    case c4 = "C4"
    case c5 = "C5"
    case c6 = "C6"
    case c7 = "C7"
    case c8 = "C8"
    case c9 = "C9"
  }
}
