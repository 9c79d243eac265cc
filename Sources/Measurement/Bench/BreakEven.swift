// From how many writes per exit on which policy is the cheapest: the fitted costs, how far they can be trusted, and the
// lines where two policies cost the same.

public import Registers

/// What the measured costs say about how many writes per exit make which policy win.
public struct BreakEven: Codable, Equatable, Sendable {
  /// One per policy.
  public let models: [Model]
  /// Each cell as a fit of its policy's other cells predicts it.
  public let checks: [Check]
  /// Where two policies cost the same.
  public let crossings: [Crossing]
  /// The cheapest policy by the number of writes, at each number of exits that was measured.
  public let winners: [Winner]
  /// Where the measured cells contradict the winner.
  public let contradictions: [Contradiction]
  /// The policies that were measured on too few of the guests that the others have in common, and are compared with
  /// none.
  public let leftOut: [Known<PolicyName>]
  /// Why no winner and no crossing is named, in a sentence without a full stop; null where the model is relied on.
  @Nullable public private(set) var withheld: String?

  /// The cost of an entry under a policy: base + perWrite × writes + perExit × exits, in cycles.
  public struct Model: Codable, Equatable, Sendable {
    public let policy: Known<PolicyName>
    public let base: Double
    public let perWrite: Double
    public let perExit: Double
    /// The ids of the cells it was fitted on.
    public let fittedOn: [String]

    public init(policy: Known<PolicyName>, base: Double, perWrite: Double, perExit: Double, fittedOn: [String]) {
      self.policy = policy
      self.base = base
      self.perWrite = perWrite
      self.perExit = perExit
      self.fittedOn = fittedOn
    }
  }

  /// A cell against the prediction of a fit that had not seen it.
  public struct Check: Codable, Equatable, Sendable {
    public let cell: String
    /// Cycles per entry.
    public let measured: Double
    public let predicted: Double
    /// (predicted - measured) / measured.
    public let relativeError: Double

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
    public let below: Known<PolicyName>
    /// The policy that is cheaper above it.
    public let above: Known<PolicyName>
    /// Writes per entry at which they cost the same without an exit.
    public let atNoExit: Double
    /// Its 95 % interval; null where there are too few rounds.
    @Nullable public private(set) var atNoExitInterval: Interval?
    /// How many more writes each exit is worth.
    public let perExit: Double
    /// Its 95 % interval in the same sense.
    @Nullable public private(set) var perExitInterval: Interval?

    public init(
      below: Known<PolicyName>, above: Known<PolicyName>, atNoExit: Double, atNoExitInterval: Interval?,
      perExit: Double,
      perExitInterval: Interval?
    ) {
      self.below = below
      self.above = above
      self.atNoExit = atNoExit
      self.atNoExitInterval = atNoExitInterval
      self.perExit = perExit
      self.perExitInterval = perExitInterval
    }
  }

  /// A stretch of writes per entry in which one policy is the cheapest.
  public struct Winner: Codable, Equatable, Sendable {
    /// Exits per entry.
    public let exits: Int
    public let policy: Known<PolicyName>
    /// The policies that cost hardly more (2 %), or no more than noise tells apart, at both ends of the stretch.
    public let equals: [Known<PolicyName>]
    /// Writes per entry from which on it wins.
    public let from: Double
    /// Writes per entry up to which it wins; null where it wins up to the most that were measured.
    @Nullable public private(set) var to: Double?
    /// The 95 % interval of that; null where there are too few rounds, or noise leaves open whose writes are
    /// cheaper.
    @Nullable public private(set) var toInterval: Interval?

    public init(
      exits: Int, policy: Known<PolicyName>, equals: [Known<PolicyName>], from: Double, to: Double?,
      toInterval: Interval? = nil
    ) {
      self.exits = exits
      self.policy = policy
      self.equals = equals
      self.from = from
      self.to = to
      self.toInterval = toInterval
    }
  }

  /// A point at which another policy was measured cheaper than the one that the model names.
  public struct Contradiction: Codable, Equatable, Sendable {
    /// Exits and writes per entry of the measured cells.
    public let exits: Int
    public let writes: Int
    /// The policy that the model names the cheapest there.
    public let named: Known<PolicyName>
    /// The policy whose cell is the cheapest.
    public let cheaper: Known<PolicyName>
    /// The named policy's cell over the cheaper one's.
    public let ratio: Double
    /// Its 95 % interval.
    public let interval: Interval

    public init(
      exits: Int, writes: Int, named: Known<PolicyName>, cheaper: Known<PolicyName>, ratio: Double, interval: Interval
    ) {
      self.exits = exits
      self.writes = writes
      self.named = named
      self.cheaper = cheaper
      self.ratio = ratio
      self.interval = interval
    }
  }

  public init(
    models: [Model], checks: [Check], crossings: [Crossing], winners: [Winner], contradictions: [Contradiction],
    leftOut: [Known<PolicyName>] = [], withheld: String? = nil
  ) {
    self.models = models
    self.checks = checks
    self.crossings = crossings
    self.winners = winners
    self.contradictions = contradictions
    self.leftOut = leftOut
    self.withheld = withheld
  }
}

extension BreakEven {
  /// Decodes a break-even; results that were written before there were contradictions or policies left out have none.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      models: try container.decode([Model].self, forKey: .models),
      checks: try container.decode([Check].self, forKey: .checks),
      crossings: try container.decode([Crossing].self, forKey: .crossings),
      winners: try container.decode([Winner].self, forKey: .winners),
      contradictions: try container.decodeIfPresent([Contradiction].self, forKey: .contradictions) ?? [],
      leftOut: try container.decodeIfPresent([Known<PolicyName>].self, forKey: .leftOut) ?? [],
      withheld: try container.decodeIfPresent(String.self, forKey: .withheld))
  }
}
