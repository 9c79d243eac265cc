// Runs that are ended from outside: what was counted until then is kept.

import Experiments
import GuestImages
import Hypervisor
import Synchronization
import Testing
import TestSupport

@Suite("A run that is stopped", .needsKVM)
struct StopTests {
  /// More than any host gets done in the time.
  private func endless(_ workload: Workload.Name, _ policy: PolicyName = .emulate, _ msr: MSR = .specCtrl) throws
    -> Experiment
  {
    try Experiment(workload, entry: .none, policy: policy, msr: msr, iterations: 4_000_000_000, samples: 1)
  }

  private func expectPartial(_ record: RunRecord, _ reason: RunControl.Stop) {
    #expect(record.stopped == reason && !record.completed)
    #expect(record.samples.isEmpty, "no sample was completed")
    #expect(record.counters.interruptions >= 1)
    #expect(record.counters[.portOut] <= record.expected.outs)
  }

  @Test("by its time limit gives its counts", arguments: [Workload.Name.chatty, .ibrs, .retpoline])
  func timeLimit(workload: Workload.Name) throws {
    let control = RunControl(timeLimit: .milliseconds(200))
    let clock = ContinuousClock()
    var record: RunRecord?
    let taken = try clock.measure { record = try endless(workload).run(control: control) }
    // Generous: this is about coming back at all.
    #expect((.milliseconds(200) ... .seconds(5)).contains(taken))
    let stopped = try #require(record)
    expectPartial(stopped, .timeLimit)
    #expect((stopped.counters.total > 0) == (workload != .retpoline), "retpoline makes no exit before its end")
  }

  @Test("by a cancel at its tenth exit gives its counts, ten or more")
  func cancel() throws {
    let control = RunControl()
    let lines = Mutex(0)
    let record = try endless(.chatty).run(
      observing: .trace { _ in
        let count = lines.withLock { lines in
          lines += 1
          return lines
        }
        if count == 10 { control.cancel() }
      }, control: control)
    expectPartial(record, .cancelled)
    #expect(record.counters.total >= 10)
    #expect(UInt64(lines.withLock { $0 }) == record.counters.total, "an interruption is no exit, and no line")
  }

  @Test("before it begins does nothing")
  func cancelledBefore() throws {
    let control = RunControl()
    control.cancel()
    let record = try endless(.bare).run(control: control)
    expectPartial(record, .cancelled)
    #expect(record.counters.total == 0)
  }

  @Test("under autoload has loaded and stored its lists around every entry, the interrupted ones included")
  func autoload() throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(.autoload, of: subject) {
      let record = try endless(.chatty, .autoload, subject).run(control: RunControl(timeLimit: .milliseconds(100)))
      expectPartial(record, .timeLimit)
      let entries = record.counters.total + record.counters.interruptions
      #expect(record.tally == ["entryLoads": entries, "exitStores": entries, "exitLoads": entries])
    }
  }
}
