// Reasons why a ratio is not known.

/// Why a ratio of two costs is not known.
public enum RatioUnknown: Error, Equatable, Sendable {
  /// No round has samples of both.
  case noCommonRound
  /// A sample is not a finite number.
  case notFinite
  /// The dividend's median is not above zero: noise is larger than the cost.
  case dividend
  /// The divisor's median is not above zero.
  case divisor
  /// The quotient is larger or smaller than a number can be.
  case outOfRange
  /// The interval reaches down to zero, or has no upper bound: the rounds differ by more than the cost.
  case unbounded
}

extension RatioUnknown {
  /// Two costs and their ratio.
  ///
  /// Throws where a cost is not known, or is not positive and finite, or the ratio is not.
  static func ratio(
    of dividend: Double?, over divisor: Double?
  ) throws(RatioUnknown) -> (dividend: Double, divisor: Double, ratio: Double) {
    guard let dividend, let divisor else { throw .noCommonRound }
    guard dividend.isFinite, divisor.isFinite else { throw .notFinite }
    guard divisor.isCost else { throw .divisor }
    guard dividend.isCost else { throw .dividend }
    let ratio = dividend / divisor
    guard ratio.isCost else { throw .outOfRange }
    return (dividend, divisor, ratio)
  }
}

extension RatioUnknown: CustomStringConvertible {
  public var description: String { text(dividend: "the cell's median", divisor: "the baseline's median") }

  /// The reason, as a sentence without a full stop; the two costs have these names.
  func text(dividend: String, divisor: String) -> String {
    switch self {
    case .noCommonRound: "no round has samples of both"
    case .notFinite: "a sample is not a finite number"
    case .dividend: "\(dividend) is not above zero, so it is not a cost"
    case .divisor: "\(divisor) is not above zero, so it is not a cost"
    case .outOfRange: "the costs are too far apart for a ratio"
    case .unbounded: "the rounds differ by more than the cost, so the interval has no bounds"
    }
  }
}

extension Double {
  /// Whether it is a possible cost: positive, finite, and larger than a rounding error.
  package var isCost: Bool { isNormal && self > 0 }
}
