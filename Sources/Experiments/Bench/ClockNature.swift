// Finds what the guest's clock counts, from samples of a loop whose instructions are known.

import GuestImages

/// What a clock counts.
enum ClockNature: Equatable {
  case time
  /// Instructions; a sample's fixed cost is the same in every sample of every guest.
  case instructions(fixedCost: Double)
  /// Neither; why, without a full stop.
  case neither(String)

  /// The instructions of an iteration of the empty loop: INC, DEC, JNZ.
  private static let loopInstructions = 3.0
  /// Two pairs of lengths, in iterations of the empty loop.
  private static let lengths: [UInt32] = [1, 2, 128, 256]
  /// How often each length is sampled; enough that some samples have no interrupt.
  private static let trials = 8

  /// The iterations of each sample for the judgement.
  static var iterationsPerSample: [UInt32] { (0..<trials).flatMap { _ in lengths } }

  /// The nature of the clock that gave these samples; time without samples.
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
        .neither("it stands still: by it a loop of \(longest) turns takes no longer than one of a single turn")
      } else if first == second, Self.lengths.allSatisfy({ samples.areAlike(of: $0) }) {
        .neither(
          "each turn of a loop of three instructions takes exactly \(Int(first)) \(first == 1 ? "tick" : "ticks"), but time "
            + "varies")
      } else {
        .time
      }
  }
}

extension [SampleRecord] {
  /// The ticks of the shortest sample of this number of iterations; an interrupt only adds ticks.
  func least(of iterations: UInt32) -> Double { Double(filter { $0.iterations == iterations }.map(\.ticks).min() ?? 0) }

  /// Whether all samples of this number of iterations but one have the same ticks; one may have an interrupt or a cold
  /// start.
  fileprivate func areAlike(of iterations: UInt32) -> Bool {
    let ticks = filter { $0.iterations == iterations }.map(\.ticks)
    return ticks.count { $0 != ticks.min() } <= 1
  }
}
