// What a snapshot's guest has in its record: warnings, origin, counts; and that one snapshot serves again and again.

import GuestImages
import Hypervisor
import Migration
import TestSupport
import Testing

@testable import Experiments

extension SnapshotTests {
  @Test("goes on from one file as often as one likes, each time the same")
  func twice() throws {
    let host = try Host.proved()
    let experiment = try Experiment(
      .ibrs, entry: host.entries[0], policy: .emulate, iterations: Self.iterations, samples: Self.samples)
    let whole = try run(experiment)
    let (_, snapshot) = try stopped(experiment, after: 11)
    let before = try snapshot.encoded()
    for _ in 0..<3 { expectSame(try resumed(snapshot), whole, "from one snapshot") }
    #expect(try JSONValue(encoding: ExperimentSnapshot(decoding: before).guest) == JSONValue(encoding: snapshot.guest))
  }

  @Test("has the warnings that it was given, and the host that it came from, in its record")
  func warnings() throws {
    let experiment = try Experiment(
      .bare, entry: .none, policy: .emulate, iterations: Self.iterations, samples: Self.samples)
    var (_, snapshot) = try stopped(experiment, after: 3)
    snapshot.guest.warnings = ["moved although"]
    snapshot.guest.origin = "elsewhere"
    let control = RunControl(timeLimit: .seconds(60))
    control.pause()
    let paused = try resumed(snapshot, control: control)
    let again = try #require(paused.snapshot)
    #expect(again.guest.warnings == ["moved although"] && again.guest.origin != "elsewhere")
    let record = try resumed(again)
    #expect(record.warnings == ["moved although"] && record.origin == again.guest.origin)
  }

  @Test("with one sample can be stopped before its first iteration alone")
  func oneSample() throws {
    var experiment = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 5, samples: 1)
    try experiment.pause(after: 0)
    #expect(experiment.pause == 0 && experiment.iterationsPerSample == [5])
    #expect(throws: ExperimentError.self) { try experiment.pause(after: 2) }
    for wrong in [-1, 5, .max, .min] { #expect(throws: ExperimentError.self) { try experiment.pause(after: wrong) } }
    let record = try run(experiment)
    #expect(try resumed(reread(try #require(record.snapshot))).mailbox.kernelEntries == 5)
  }

  @Test("in counts that its guest cannot have made is no result: the witnesses contradict each other")
  func impossibleCounts() throws {
    let experiment = try Experiment(
      .ibrs, entry: .none, policy: .emulate, iterations: Self.iterations, samples: Self.samples)
    let (_, snapshot) = try stopped(experiment, after: 11)
    let parts = SnapshotBytes(parsing: try snapshot.encoded())
    for path in ["halts", "portIns", "portOuts", "mmioReads", "subjectCount.writes", "subjectCount.reads"] {
      for value in [1_000_000, Int128(UInt64.max), Int128(UInt64.max) - 5] {
        let changed = try parts.changing("machine.counters.\(path)", to: .integer(value))
        let snapshot = try ExperimentSnapshot(decoding: changed.file)
        #expect {
          _ = try resumed(snapshot)
        } throws: {
          guard case ExperimentError.contradiction = $0 else { return false }
          return true
        }
      }
    }
  }
}
