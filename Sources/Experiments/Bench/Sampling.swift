// From samples to costs: that depends on whether the clock counts time or instructions.

import GuestImages
import Hypervisor

/// How the cells of a benchmark are sampled: in pairs of N and 2N iterations.
struct Sampling {
  /// How long the shorter sample of a pair is at least, in ticks of the guest's clock.
  let ticks: UInt64
  /// What a sample costs beside its iterations, in ticks: the clock's own cost, and the way into the loop.
  ///
  /// Where the clock counts instructions it is the same in every sample of every guest. Nil where it counts time.
  let fixedCost: Double?
  /// Why the clock cannot be believed, without a full stop; nil where nothing speaks against it.
  let doubt: String?

  /// Long against the clock's own cost, short against an interrupt's period.
  private static let seconds = 0.000_2
  /// Assumed where nobody tells how fast the clock runs.
  private static let unknownHertz = 1e9

  /// For a clock of this frequency, nil where nobody tells it, that counts this.
  init(hertz: Double?, of nature: ClockNature = .time) {
    ticks = UInt64((hertz ?? Self.unknownHertz) * Self.seconds)
    if case .instructions(let cost) = nature { fixedCost = cost } else { fixedCost = nil }
    if case .neither(let reason) = nature { doubt = reason } else { doubt = nil }
  }

  /// Finds out what the guest's clock counts.
  init(on kvm: borrowing KVM, hertz: Double?) throws(ExperimentError) {
    var experiment = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 1, samples: 1)
    experiment.iterationsPerSample = ClockNature.iterationsPerSample
    // Where it does not run, its cell says why.
    let samples = (try? experiment.run(on: kvm, control: Bench.makeControl()))?.samples ?? []
    self.init(hertz: hertz, of: ClockNature(of: samples))
  }

  var countsInstructions: Bool { fixedCost != nil }

  /// What an iteration costs by each pair of samples of `iterations` and twice as many.
  ///
  /// A clock that counts time gives the difference of each pair, in which there is no fixed cost. One that counts
  /// instructions gives two costs for each pair, the known fixed cost taken off. An interrupt then is in one of them,
  /// and the median is free of interrupts as long as samples are shorter than half of their period; in the difference
  /// of a pair of such samples there would be one more often than not.
  func costs(of samples: [SampleRecord], iterations: UInt32) -> [Double] {
    if let fixedCost { return samples.map { (Double($0.ticks) - fixedCost) / Double($0.iterations) } }
    return stride(from: 0, to: samples.count - 1, by: 2).map { index in
      (Double(samples[index + 1].ticks) - Double(samples[index].ticks)) / Double(iterations)
    }
  }
}
