// Computes costs from samples, for clocks that count time and for those that count instructions.

import GuestImages
import Hypervisor

/// How the cells of a benchmark are sampled, in pairs of N and 2N iterations.
struct Sampling {
  /// The minimum length of the shorter sample of a pair, in ticks of the guest's clock.
  let ticks: UInt64
  /// The cost of a sample besides its iterations, in ticks: the clock's own cost, and the way into the loop.
  ///
  /// Where the clock counts instructions it is the same in every sample of every guest. Nil where it counts time.
  let fixedCost: Double?
  /// Why the clock is wrong, without a full stop; nil where no contradiction is known.
  let doubt: String?

  /// Long against the clock's own cost, short against an interrupt's period.
  private static let seconds = 0.000_2
  /// The frequency that is assumed where it is not known.
  private static let unknownHertz = 1e9

  /// The sampling for a clock; `hertz` is nil where its frequency is not known.
  init(hertz: Double?, of nature: ClockNature = .time) {
    ticks = UInt64((hertz ?? Self.unknownHertz) * Self.seconds)
    if case .instructions(let cost) = nature { fixedCost = cost } else { fixedCost = nil }
    if case .neither(let reason) = nature { doubt = reason } else { doubt = nil }
  }

  /// The sampling for the guest's clock, which is tried first.
  init(on kvm: borrowing KVM, hertz: Double?) throws(ExperimentError) {
    var experiment = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 1, samples: 1)
    experiment.iterationsPerSample = ClockNature.iterationsPerSample
    // If the guest does not run, the cell of this workload says why.
    let samples = (try? experiment.run(on: kvm, control: Bench.makeControl()))?.samples ?? []
    self.init(hertz: hertz, of: ClockNature(of: samples))
  }

  var countsInstructions: Bool { fixedCost != nil }

  /// The costs of an iteration, from pairs of samples of `iterations` and twice as many.
  ///
  /// For a clock that counts time, each pair gives one cost, its difference, which has no fixed cost. For a clock that
  /// counts instructions, each sample gives one cost, less the known fixed cost. An interrupt is then in one cost only,
  /// and the median has no interrupts as long as samples are shorter than half of their period; most differences of
  /// such samples would include one.
  func costs(of samples: [SampleRecord], iterations: UInt32) -> [Double] {
    if let fixedCost {
      return samples.map { sample -> Double in (Double(sample.ticks) - fixedCost) / Double(sample.iterations) }
    }
    return stride(from: 0, to: samples.count - 1, by: 2).map { (index: Int) -> Double in
      let short = Double(samples[index].ticks)
      let long = Double(samples[index + 1].ticks)
      return (long - short) / Double(iterations)
    }
  }
}
