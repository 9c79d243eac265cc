// What the guest's clock counts, by samples of a loop whose instructions are known. A pure judgement.

import GuestImages

/// What a clock counts.
enum ClockNature: Equatable {
  case time
  /// Instructions: a sample costs so many beside its iterations, the same in every sample of every guest.
  case instructions(fixedCost: Double)
  /// Neither: why, without a full stop.
  case neither(String)

  /// The instructions of an iteration of the empty loop: INC, DEC, JNZ.
  private static let loopInstructions = 3.0
  /// Two pairs of lengths, in iterations of the empty loop.
  private static let lengths: [UInt32] = [1, 2, 128, 256]
  /// How often each is taken: often enough that some samples have no interrupt in them.
  private static let trials = 8

  /// How many iterations each sample has that it is judged by.
  static var iterationsPerSample: [UInt32] { (0..<trials).flatMap { _ in lengths } }

  /// What a clock counts that gave these samples; time where there are none.
  init(of samples: [SampleRecord]) {
    let least = Self.lengths.map(samples.least)
    let (first, second) = (least[1] - least[0], (least[3] - least[2]) / Double(Self.lengths[3] - Self.lengths[2]))
    let longest = Self.lengths[3]
    self =
      if samples.isEmpty {
        .time
      } else if first == Self.loopInstructions, second == Self.loopInstructions {
        .instructions(fixedCost: 2 * least[0] - least[1])
      } else if least[3] <= least[0] {
        .neither("it stands still: a loop of \(longest) turns takes it no longer than one of a single turn")
      } else if first == second, Self.lengths.allSatisfy({ samples.areAlike(of: $0) }) {
        .neither(
          "each turn of a loop of three instructions takes exactly \(Int(first)) \(first == 1 ? "tick" : "ticks"), and time is "
            + "never the same number")
      } else {
        .time
      }
  }
}

extension [SampleRecord] {
  /// The least ticks of the samples of so many iterations: an interrupt only adds.
  func least(of iterations: UInt32) -> Double { Double(filter { $0.iterations == iterations }.map(\.ticks).min() ?? 0) }

  /// Whether all samples of so many iterations but one have the same ticks: one may have an interrupt or a cold start
  /// in it.
  fileprivate func areAlike(of iterations: UInt32) -> Bool {
    let ticks = filter { $0.iterations == iterations }.map(\.ticks)
    return ticks.count { $0 != ticks.min() } <= 1
  }
}
