import Measurement
import Testing

struct WarmUpTests {
  private let steady: [Double] = [100, 101, 99, 100, 102, 98, 100, 101, 99, 100, 101, 100, 99, 102, 100, 98]

  private func length(_ round: [Double]) -> Int { WarmUp.lengths([round])[0] }

  @Test("A round that begins as it goes on has none")
  func none() { #expect(length(steady) == 0) }

  @Test("A cold first sample and a step at the start are found")
  func coldStart() {
    #expect(length([500] + steady) == 1)
    #expect(length([500, 300, 250, 180] + steady) == 4)
    #expect(length([50, 55] + steady) == 2)
  }

  @Test("Each round is compared with the settled samples of all")
  func rounds() {
    #expect(
      WarmUp.lengths([[500, 100, 101, 99], [102, 98, 100, 101], [500, 480, 99, 100], [98, 100, 101, 100]])
        == [1, 0, 2, 0])
  }

  @Test("An outlier later on is kept, even one that follows a settled sample")
  func laterOutliers() {
    #expect(length([100, 5000] + steady) == 0)
    #expect(length(steady + [5000]) == 0)
  }

  @Test("No more than half of a round is discarded, and nothing where there is too little to tell")
  func limits() {
    #expect(length([Double](repeating: 900, count: 12) + [Double](repeating: 100, count: 12)) == 12)
    #expect(length([Double](repeating: 900, count: 16) + [Double](repeating: 100, count: 4)) == 0)
    #expect(length([900, 100, 100, 100]) == 0)
    #expect(WarmUp.lengths([]) == [])
    #expect(WarmUp.lengths([[], [1]]) == [0, 0])
  }

  @Test("Noise loses next to nothing to the rule")
  func noise() {
    var noise = SimulatedNoise(seed: 11)
    noise.samplesPerRound = 40
    noise.roundCount = 100
    let discarded = WarmUp.lengths(noise.pair(factor: 1).cell).reduce(0, +)
    // Of 4000 samples 200 are outliers, of which 5 stand first in their round on average.
    #expect(discarded <= 15)
  }
}
