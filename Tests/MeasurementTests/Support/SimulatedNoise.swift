// Made-up measurements that are as unpleasant as real ones: drift that both cells share, a mood of each cell in each
// round, samples that remember the last one, and rare long outliers.

import Glibc

@testable import Measurement

struct SimulatedNoise {
  /// Drift from round to round that hits both cells, as a share of the cost.
  var drift = 0.03
  /// What a cell's round has of its own.
  var mood = 0.01
  /// How much of that the next round keeps.
  var moodMemory = 0.0
  /// The noise within a round.
  var noise = 0.01
  /// How much of a sample's noise the next one keeps.
  var memory = 0.5
  /// How much slower or faster the whole machine is at a record's time, as a share.
  var moment = 0.0
  /// How much more, or less, of that each cell has: 0.5 is from half of it to half again as much.
  var sensitivity = 0.0
  var roundCount = 12
  var samplesPerRound = 12
  var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// Two cells of 1000 cycles, the first slower by `factor`.
  mutating func pair(factor: Double) -> (cell: [[Double]], baseline: [[Double]]) {
    var cell: [[Double]] = []
    var baseline: [[Double]] = []
    var moods = (0.0, 0.0)
    for _ in 0..<roundCount {
      let shared = 1000 * (1 + drift * normal())
      cell.append(round(shared * factor, &moods.0))
      baseline.append(round(shared, &moods.1))
    }
    return (cell, baseline)
  }

  /// Many cells of 1000 cycles, the first slower by `slower`: heavy tails, rounds of their own mood, samples that
  /// remember the last.
  mutating func record(cells: Int, slower: Double = 1) -> BenchRecord {
    let now = moment == 0 ? 0 : moment * normal()
    return MadeUp.record(
      (0..<cells).map { index in
        var cell = MadeUp.cell("bare", "policy \(index)", cost: 1000, rounds: 0)
        // A cell's own share of a moment is the same in every record.
        let own = 1 + sensitivity * (2 * Double(index * 7 % cells) / Double(cells) - 1)
        let factor = (index == 0 ? slower : 1) * (1 + now * own)
        for round in pair(factor: factor).cell { cell.add(round: round) }
        return cell
      })
  }

  private mutating func round(_ cost: Double, _ last: inout Double) -> [Double] {
    last = moodMemory * last + (1 - moodMemory * moodMemory).squareRoot() * normal()
    let own = mood * last
    var remembered = normal()
    return (0..<samplesPerRound).map { _ in
      remembered = memory * remembered + (1 - memory * memory).squareRoot() * normal()
      let outlier = uniform() < 0.05 ? -log(1 - uniform()) : 0
      return cost * (1 + own + noise * remembered + outlier)
    }
  }

  mutating func uniform() -> Double { Double.random(in: 0..<1, using: &generator) }

  /// A standard normal number (Box and Muller).
  mutating func normal() -> Double { (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform()) }
}
