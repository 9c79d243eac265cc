// Intervals of figures.

/// An interval that contains a figure with some confidence.
///
/// In JSON it is a list of two numbers, the lower one first.
public struct Interval: Hashable, Sendable {
  public let lower: Double
  public let upper: Double

  /// The interval between two numbers, the lower one first.
  public init(_ lower: Double, _ upper: Double) {
    precondition(lower <= upper)
    (self.lower, self.upper) = (lower, upper)
  }

  /// The difference of its ends.
  public var width: Double { upper - lower }

  /// Whether the number lies in it, its ends included.
  public func contains(_ number: Double) -> Bool { lower <= number && number <= upper }
}

extension Interval: Codable {
  public init(from decoder: any Decoder) throws {
    let ends = try decoder.singleValueContainer().decode([Double].self)
    guard ends.count == 2, ends[0] <= ends[1] else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "an interval is two numbers, the lower one first"))
    }
    self.init(ends[0], ends[1])
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode([lower, upper])
  }
}
