// The fourth witness: time stamps that cannot be are no result, whoever invents them.

import Measurement
import Migration
import TestSupport
import Testing

@testable import Experiments
@testable import GuestImages
@testable import Hypervisor

@Suite("The guest's time stamps")
struct ClockWitnessTests {
  /// The record of a guest with two samples of five iterations that last so long, on a host whose clock went on for so
  /// long.
  private func record(_ ticks: [UInt64], hostCycles: UInt64, rates: CounterRates? = nil) -> RunRecord {
    .made(
      stamps: ticks.map { SampleRecord(iterations: 5, start: 1 << 40, end: (1 << 40) &+ $0) }, hostCycles: hostCycles,
      rates: rates)
  }

  @Test("are believed as long as the samples last no longer than the run, wherever the guest's clock begins")
  func believed() {
    #expect(record([500, 500], hostCycles: 1000).clockDoubt == nil)
    #expect(record([0, 0], hostCycles: 0).clockDoubt == nil)
  }

  @Test("are not from the first tick too many on, however many there are", arguments: [501, 1 << 63, .max] as [UInt64])
  func invented(ticks: UInt64) throws {
    let record = record([500, ticks], hostCycles: 1000)
    let doubt = try #require(record.clockDoubt)
    #expect(doubt.contains("longer than the 1000 ticks of the host's clock"))
    let report = RunReport(record, host: nil, entryChoice: "made up")
    #expect(report.guest.clockDoubt == doubt)
    #expect(report.guest.cyclesPerIteration == nil && report.guest.distribution == nil)
    #expect(RunReport(self.record([500, 500], hostCycles: 1000), host: nil, entryChoice: "").guest.distribution != nil)
  }

  @Test("of the samples that were timed elsewhere are not compared with this host's clock")
  func elsewhere() {
    let stamps = [90_000, 500].map { SampleRecord(iterations: 5, start: 100, end: 100 + $0) }
    #expect(RunRecord.made(stamps: stamps, firstOwnSample: 1, hostCycles: 1000).clockDoubt == nil)
  }

  @Test("run at the guest's own rate where KVM scales it")
  func scaled() {
    let faster = CounterRates(guest: 3_000_000, host: 2_000_000)
    #expect(record([700, 800], hostCycles: 1000, rates: faster).clockDoubt == nil)
    #expect(
      record([700, 805], hostCycles: 1000, rates: faster).clockDoubt != nil,
      "each reading is rounded by one tick at most")
    let slower = CounterRates(guest: 1_000_000, host: 2_000_000)
    #expect(record([250, 250], hostCycles: 1000, rates: slower).clockDoubt == nil)
    #expect(record([250, 255], hostCycles: 1000, rates: slower).clockDoubt != nil)
    // Within KVM's tolerance it runs at the host's.
    let alike = CounterRates(guest: 1_999_600, host: 2_000_000)
    #expect(record([500_000, 500_000], hostCycles: 1_000_000, rates: alike).clockDoubt == nil)
    #expect(CounterRates(guest: .max, host: 1).mostTicks(for: .max, readings: 4) == nil)
    #expect(CounterRates(guest: 0, host: 0).mostTicks(for: 7, readings: 4) == 7)
  }

  /// A guest whose kernel says that a sample began when its counter stood at 0.
  private static func inventing() throws -> Experiment {
    var experiment = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 40, samples: 4)
    experiment.workload.body = { asm in
      asm.mov(.dword, .at(.rbx, SampleRecord.Offset.start), 0)
      asm.mov(.dword, .at(.rbx, SampleRecord.Offset.start + 4), 0)
    }
    return experiment
  }

  @Test("of a guest that invents them are no figure: not of a run, and not of a cell of a benchmark", .needsKVM)
  func guest() throws {
    let record = try Self.inventing().run(control: RunControl(timeLimit: .seconds(60)))
    #expect(record.completed && record.clockDoubt != nil)
    #expect(RunReport(record, host: nil, entryChoice: "").guest.cyclesPerIteration == nil)

    let plan = try PlannedCell("inventing", Workload(.bare), on: try KVM())
    var meter = CellMeter(
      PlannedCell(
        cell: plan.cell, experiment: try Self.inventing(), terms: plan.terms, neighbour: nil),
      Sampling(hertz: 5e6))
    meter.calibrate(on: try KVM(), control: Bench.makeControl())
    meter.round(on: try KVM(), control: Bench.makeControl())
    #expect(meter.record(against: nil).status == .void && meter.rounds.isEmpty)
    #expect(meter.record(against: nil).reason?.contains("host's clock") == true)
  }

  @Test("of a guest that invents them are no figure where it goes on from a file, either", .needsKVM)
  func resumed() throws {
    var experiment = try Self.inventing()
    try experiment.pause(after: 20)
    let control = RunControl(timeLimit: .seconds(60))
    let snapshot = try #require(try experiment.run(control: control).snapshot)
    let read = try ExperimentSnapshot(decoding: snapshot.encoded())
    let record = try PausedExperiment(read).resume(
      on: try KVM(), terms: try Terms.prove(.specCtrl, on: try KVM()), control: control)
    #expect(record.completed && record.firstOwnSample > 0 && record.clockDoubt != nil)
  }

  @Test("are believed of a guest that was stopped in a sample and goes on: its clock went on meanwhile", .needsKVM)
  func paused() throws {
    let experiment = try Experiment(.bare, entry: .none, policy: .emulate, iterations: 400_000, samples: 1)
    let terms = try Terms.prove(.specCtrl, on: try KVM())
    let record = try stoppedInBetween(experiment, on: try KVM(), terms: terms)
    #expect(record.completed && record.clockDoubt == nil)
    #expect(record.hostCyclesHere > record.hostCycles)
  }

  @Test("of honest guests are believed, under every policy", .needsKVM, arguments: PolicyName.allCases)
  func honest(policy: PolicyName) throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(policy, of: subject) {
      let experiment = try Experiment(.chatty, entry: .none, policy: policy, msr: subject, iterations: 200, samples: 20)
      let record = try experiment.run(control: RunControl(timeLimit: .seconds(60)))
      #expect(record.completed && record.clockDoubt == nil, "\(subject)")
      #expect(record.disturbance.seconds > 0 && record.disturbance.waited <= record.disturbance.seconds)
    }
  }
}

/// Runs a guest, stops it, waits, and lets it run to its end.
private func stoppedInBetween(_ experiment: Experiment, on kvm: borrowing KVM, terms: Terms) throws -> RunRecord {
  let image = try GuestImage(experiment.workload, entry: experiment.entry)
  let session = try experiment.open(.image(image), on: kvm, terms: terms)
  let control = RunControl(timeLimit: .seconds(60))
  let thread = try Thread {
    Thread.sleep(for: .milliseconds(20))
    control.pause()
  }
  var stopped = try session.run(.nothing, control)
  thread.join()
  #expect(stopped == .paused)
  Thread.sleep(for: .milliseconds(100))
  if stopped == .paused { stopped = try session.run(.nothing, control) }
  return try session.record(stopped, nil)
}
