import Measurement
import Testing

struct WarmUpTests {
  private let steady: [Double] = [100, 101, 99, 100, 102, 98, 100, 101, 99, 100, 101, 100, 99, 102, 100, 98]

  @Test("A round that begins as it goes on has none")
  func none() { #expect(WarmUp.length(steady) == 0) }

  @Test("A cold first sample and a step at the start are found")
  func coldStart() {
    #expect(WarmUp.length([500] + steady) == 1)
    #expect(WarmUp.length([500, 300, 250, 180] + steady) == 4)
    #expect(WarmUp.length([50, 55] + steady) == 2)
  }

  @Test("An outlier later on is kept, even one that follows a settled sample")
  func laterOutliers() {
    #expect(WarmUp.length([100, 5000] + steady) == 0)
    #expect(WarmUp.length(steady + [5000]) == 0)
  }

  @Test("No more than half of a round is discarded, and nothing of a short one")
  func limits() {
    #expect(WarmUp.length([Double](repeating: 900, count: 8) + [100, 100, 100, 100]) == 0)
    #expect(WarmUp.length([900, 900, 900, 900, 900, 900, 100, 100, 100, 100, 100, 100]) == 6)
    #expect(WarmUp.length([900, 100, 100, 100]) == 0)
    #expect(WarmUp.length([]) == 0)
  }

  @Test("Noise loses next to nothing to the rule")
  func noise() {
    var noise = SimulatedNoise(seed: 11)
    noise.samplesPerRound = 40
    noise.roundCount = 100
    let discarded = noise.pair(factor: 1).cell.reduce(0) { $0 + WarmUp.length($1) }
    // Of 4000 samples 200 are outliers, of which 5 stand first in their round on average.
    #expect(discarded <= 15)
  }
}
