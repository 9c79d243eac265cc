// The break-even: fitted costs, their checks, and the lines where two policies cost the same.

public import Registers

/// The cheapest policy by the numbers of writes and exits, from the measured costs.
public struct BreakEven: Codable, Equatable, Sendable {
  /// One per policy.
  public let models: [Model]
  /// Each cell with its prediction by a fit of its policy's other cells.
  public let checks: [Check]
  /// Where two policies cost the same.
  public let crossings: [Crossing]
  /// The cheapest policy by the number of writes, at each number of exits that was measured.
  public let winners: [Winner]
  /// Where the measured cells contradict the winner.
  public let contradictions: [Contradiction]
  /// The policies that were measured on too few of the common guests, and are not compared.
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
  }

  /// A cell and its prediction by a fit without it.
  public struct Check: Codable, Equatable, Sendable {
    public let cell: String
    /// Cycles per entry.
    public let measured: Double
    public let predicted: Double
    /// (predicted - measured) / measured.
    public let relativeError: Double
  }

  /// The line writes = atNoExit + perExit × exits on which two policies cost the same.
  public struct Crossing: Codable, Equatable, Sendable {
    /// The policy that costs less below the line: with fewer writes.
    public let below: Known<PolicyName>
    /// The policy that costs less above it.
    public let above: Known<PolicyName>
    /// Writes per entry at which they cost the same without an exit.
    public let atNoExit: Double
    /// Its 95 % interval; null where there are too few rounds.
    @Nullable public private(set) var atNoExitInterval: Interval?
    /// By how many writes each exit moves the line.
    public let perExit: Double
    /// Its 95 % interval in the same sense.
    @Nullable public private(set) var perExitInterval: Interval?
  }

  /// A range of writes per entry in which one policy is the cheapest.
  public struct Winner: Codable, Equatable, Sendable {
    /// Exits per entry.
    public let exits: Int
    public let policy: Known<PolicyName>
    /// The policies that cost at most 2 % more, or whose difference is within the noise, at both ends of the range.
    public let equals: [Known<PolicyName>]
    /// Writes per entry from which on it wins.
    public let from: Double
    /// Writes per entry up to which it wins; null where it wins up to the most that were measured.
    @Nullable public private(set) var to: Double?
    /// The 95 % interval of that; null where there are too few rounds, or noise leaves open whose writes cost less.
    @Nullable public private(set) var toInterval: Interval?
  }

  /// A point at which another policy was measured to cost less than the one that the model names.
  public struct Contradiction: Codable, Equatable, Sendable {
    /// Exits and writes per entry of the measured cells.
    public let exits: Int
    public let writes: Int
    /// The policy that the model names the cheapest there.
    public let named: Known<PolicyName>
    /// The policy whose cell is the cheapest.
    public let cheaper: Known<PolicyName>
    /// The named policy's cell over the cheapest one's.
    public let ratio: Double
    /// Its 95 % interval.
    public let interval: Interval
  }
}

extension BreakEven {
  /// Decodes a break-even; older results have no contradictions and no policies left out.
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
