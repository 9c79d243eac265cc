// From how many writes per exit on which policy is the cheapest: the fitted costs, how far they can be trusted, and the
// lines where two policies cost the same.

/// What the measured costs say about how many writes per exit make which policy win.
public struct BreakEven: Codable, Equatable, Sendable {
  /// One per policy.
  public var models: [Model]
  /// The cells that were not used to fit.
  public var checks: [Check]
  /// Where two policies cost the same.
  public var crossings: [Crossing]
  /// The cheapest policy by the number of writes, at each number of exits that was measured.
  public var winners: [Winner]

  /// The cost of an entry under a policy: base + perWrite × writes + perExit × exits, in cycles.
  public struct Model: Codable, Equatable, Sendable {
    public var policy: String
    public var base: Double
    public var perWrite: Double
    public var perExit: Double
    /// The ids of the cells it was fitted on.
    public var fittedOn: [String]

    public init(policy: String, base: Double, perWrite: Double, perExit: Double, fittedOn: [String]) {
      self.policy = policy
      self.base = base
      self.perWrite = perWrite
      self.perExit = perExit
      self.fittedOn = fittedOn
    }
  }

  /// A cell that the model had not seen.
  public struct Check: Codable, Equatable, Sendable {
    public var cell: String
    /// Cycles per entry.
    public var measured: Double
    public var predicted: Double
    /// (predicted - measured) / measured.
    public var relativeError: Double

    public init(cell: String, measured: Double, predicted: Double, relativeError: Double) {
      self.cell = cell
      self.measured = measured
      self.predicted = predicted
      self.relativeError = relativeError
    }
  }

  /// The line writes = atNoExit + perExit × exits on which two policies cost the same.
  public struct Crossing: Codable, Equatable, Sendable {
    /// The policy that is cheaper below the line: with fewer writes.
    public var below: String
    /// The policy that is cheaper above it.
    public var above: String
    /// Writes per entry at which they cost the same without an exit.
    public var atNoExit: Double
    /// How many more writes each exit is worth.
    public var perExit: Double

    public init(below: String, above: String, atNoExit: Double, perExit: Double) {
      self.below = below
      self.above = above
      self.atNoExit = atNoExit
      self.perExit = perExit
    }
  }

  /// A stretch of writes per entry in which one policy is the cheapest.
  public struct Winner: Codable, Equatable, Sendable {
    /// Exits per entry.
    public var exits: Int
    public var policy: String
    /// The policies that cost hardly more (2 %) over the whole stretch.
    public var equals: [String]
    /// Writes per entry from which on it wins.
    public var from: Double
    /// Writes per entry up to which it wins; null where it wins for ever.
    @Nullable public var to: Double?

    public init(exits: Int, policy: String, equals: [String], from: Double, to: Double?) {
      self.exits = exits
      self.policy = policy
      self.equals = equals
      self.from = from
      self.to = to
    }
  }

  public init(models: [Model], checks: [Check], crossings: [Crossing], winners: [Winner]) {
    self.models = models
    self.checks = checks
    self.crossings = crossings
    self.winners = winners
  }
}
