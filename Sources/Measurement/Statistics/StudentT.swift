// Student's t and the normal distribution, for intervals from few rounds.
// Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4 (whole degrees of freedom).

import Glibc

/// Student's t distribution with a whole number of degrees of freedom.
struct StudentT {
  let degreesOfFreedom: Int

  /// The probability that the absolute value does not exceed `t`.
  func probability(within t: Double) -> Double {
    let angle = atan(t / Double(degreesOfFreedom).squareRoot())
    let cosine = cos(angle)
    // The terms of the series: each is the last one times cosine² and a ratio of neighbouring whole numbers.
    var sum = 0.0
    if degreesOfFreedom.isMultiple(of: 2) {
      var term = 1.0
      for k in stride(from: 1, to: degreesOfFreedom, by: 2) {
        sum += term
        term *= Double(k) / Double(k + 1) * cosine * cosine
      }
      return sin(angle) * sum
    }
    var term = cosine
    for k in stride(from: 2, to: degreesOfFreedom, by: 2) {
      sum += term
      term *= Double(k) / Double(k + 1) * cosine * cosine
    }
    return 2 / .pi * (angle + sin(angle) * sum)
  }

  /// The value whose absolute value is exceeded with probability 1 - `confidence`.
  func quantile(confidence: Double) -> Double {
    var low = 0.0
    var high = 1.0
    while probability(within: high) < confidence, high < 1e12 { high *= 2 }
    for _ in 0..<100 {
      let middle = (low + high) / 2
      if probability(within: middle) < confidence { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}

/// The probability that a standard normal variable is below `value`.
func normalProbability(below value: Double) -> Double { erfc(-value / 2.0.squareRoot()) / 2 }

/// The value below which a standard normal variable lies with this probability, above 0 and at most a half.
func normalQuantile(of probability: Double) -> Double {
  var (low, high) = (-40.0, 0.0)
  for _ in 0..<100 {
    let middle = (low + high) / 2
    if normalProbability(below: middle) < probability { low = middle } else { high = middle }
  }
  return (low + high) / 2
}
