// What can be watched during a run.

import Experiments
import GuestImages
import Hypervisor
import Measurement
import Synchronization
import Testing
import TestSupport

@Suite("Watching a run", .needsKVM)
struct ObservationTests {
  @Test("line by line gives one line for each exit, in their order")
  func trace() throws {
    let lines = Mutex<[String]>([])
    let record = try Experiment(.ibrs, entry: .none, policy: .emulate, iterations: 6, samples: 2)
      .run(observing: .trace { line in lines.withLock { $0.append(line) } })
    let seen = lines.withLock { $0 }
    #expect(UInt64(seen.count) == record.counters.total)
    for (index, line) in seen.enumerated() { #expect(line.hasPrefix("\(index + 1) rip 0x")) }
    for (index, line) in seen.dropLast().enumerated() {
      #expect(line.hasSuffix(" writeMSR IA32_SPEC_CTRL value \(index.isMultiple(of: 2) ? "0x1" : "0x0")"))
    }
    #expect(seen.last?.hasSuffix(" portOut port 0xf4 size 1 count 1") == true)
  }

  @Test("by its round trips puts every exit into the histogram of its kind")
  func roundTrips() throws {
    let record = try Experiment(.probe, entry: .none, policy: .emulate, iterations: 5, samples: 1)
      .run(observing: .roundTrips)
    let counts = try #require(record.roundTrips).mapValues(\.count)
    #expect(counts == ["readMSR": 20, "writeMSR": 15, "portOut": 1])
    #expect(counts.values.reduce(0, +) == record.counters.total)
    for summary in try #require(record.roundTrips).values {
      #expect(summary.minimum > 0 && summary.minimum <= summary.p50 && summary.p50 <= summary.maximum)
    }
  }

  @Test("is not done unless it is asked for")
  func nothing() throws {
    let record = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 1, samples: 1).run()
    #expect(record.roundTrips == nil)
  }
}
