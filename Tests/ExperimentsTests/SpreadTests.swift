// How iterations are spread over samples.

import GuestImages
import Hypervisor
import Testing

@testable import Experiments

@Suite("The iterations of an experiment")
struct SpreadTests {
  @Test(
    "are spread over the samples as evenly as whole numbers allow, the larger ones first",
    arguments: [(1, 1), (20, 20), (1000, 20), (1001, 20), (1019, 20), (7, 3), (32_768, 32_767)])
  func even(iterations: Int, samples: Int) throws {
    let orders = try Experiment.spread(iterations, over: samples)
    #expect(orders.count == samples)
    #expect(orders.reduce(0) { $0 + Int($1) } == iterations)
    #expect(orders == orders.sorted(by: >))
    #expect(orders[0] - orders[samples - 1] <= 1)
    #expect(orders[samples - 1] >= 1, "a sample without iterations would never end: the guest counts down to 0")
  }

  @Test("may be as many as a record can order")
  func most() throws {
    #expect(try Experiment.spread(Int(UInt32.max) - 1, over: 1) == [.max - 1])
    #expect(try Experiment.spread(SampleRecord.maximumCount, over: SampleRecord.maximumCount).allSatisfy { $0 == 1 })
  }

  @Test(
    "need a number of samples that there is room for", arguments: [0, -1, Int.min, SampleRecord.maximumCount + 1, .max])
  func sampleCount(samples: Int) {
    #expect {
      try Experiment(.bare, entry: .none, policy: .emulate, iterations: .max, samples: samples)
    } throws: { error in
      if case ExperimentError.sampleCount(samples) = error {
        "\(error)" == "\(samples) samples: from 1 to \(SampleRecord.maximumCount) are possible"
      } else {
        false
      }
    }
  }

  @Test(
    "need at least one for each sample, and not more than it can count",
    arguments: [(0, 1), (-5, 1), (19, 20), (Int(UInt32.max), 1), (Int.max, 1000)])
  func iterationCount(iterations: Int, samples: Int) {
    #expect {
      try Experiment(.bare, entry: .none, policy: .emulate, iterations: iterations, samples: samples)
    } throws: { error in
      if case ExperimentError.iterationCount(iterations, samples: samples) = error {
        "\(error)".hasPrefix("\(iterations) iterations over \(samples) samples: ")
      } else {
        false
      }
    }
  }
}
