// The example of the module's overview page, which shows it from the first import on.

import Measurement

/// How many times as dear one thing is as another, of which both were measured in each round.
func compare(_ rounds: [[Double]], over baseline: [[Double]]) throws -> Interval {
  let ratio = try RatioEstimate(of: rounds, over: baseline, generator: SeededGenerator(seed: 2018))
  return ratio.interval
}
