// Numbers in results for people.

import Glibc

/// Numbers as text.
package enum Decimal {
  /// A number with `digits` digits after the point.
  package static func text(_ value: Double, digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "?" : value < 0 ? "-inf" : "inf" }
    let scale = pow(10, Double(digits))
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let whole = Int64(scaled)
    let unit = Int64(scale)
    let sign = value < 0 && whole > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(whole % unit)
    return "\(sign)\(whole / unit)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  /// A number with at most `digits` digits after the point: 2600.0, 2599.98.
  package static func text(_ value: Double, upTo digits: Int) -> String {
    let scale = pow(10, Double(digits))
    return "\((value * scale).rounded() / scale)"
  }

  /// Cycles: without a fraction from 100 on, with one digit below; from 10^9 on three significant digits and a
  /// power of 10.
  package static func cycles(_ value: Double) -> String {
    guard value.isFinite, abs(value) >= 999_999_999.5 else { return text(value, digits: abs(value) < 100 ? 1 : 0) }
    let power = (log10(abs(value)) + log10(1.0005)).rounded(.down)
    return "\(text(value / pow(10, power), digits: 2))e\(Int(power))"
  }

  /// A cost in cycles; "?" for an impossible cost: zero, a negative number, infinity.
  package static func cost(_ value: Double?) -> String { value.flatMap { $0.isCost ? cycles($0) : nil } ?? "?" }

  /// The interval of a cost: "1180 to 1210"; "at most 40.0" where noise puts its lower bound at or below zero.
  package static func costInterval(_ interval: Interval) -> String {
    guard interval.upper.isCost else { return "?" }
    let bound = cycles(interval.upper)
    return interval.lower.isCost ? "\(cycles(interval.lower)) to \(bound)" : "at most \(bound)"
  }

  /// A ratio with three significant digits.
  package static func ratio(_ value: Double) -> String {
    text(value, digits: abs(value) < 0.1 && value != 0 ? 3 : abs(value) < 10 ? 2 : abs(value) < 100 ? 1 : 0)
  }

  /// A count per entry: whole where it is whole.
  package static func count(_ value: Double) -> String {
    abs(value - value.rounded()) < 0.0005 ? text(value, digits: 0) : text(value, digits: abs(value) < 1 ? 3 : 2)
  }

  /// A share as per cent.
  package static func percent(_ share: Double) -> String { text(share * 100, digits: abs(share) < 0.1 ? 1 : 0) + " %" }
}
