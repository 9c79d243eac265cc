// A guest that was stopped, put into a file, and goes on in another machine: it ends with the counts of one that was
// never stopped.

import Glibc
import GuestImages
import Hypervisor
import struct Measurement.SeededGenerator
import Migration
import Synchronization
import Testing
import TestSupport

@testable import Experiments

@Suite("A guest that was stopped and goes on in another machine", .needsKVM)
struct SnapshotTests {
  /// Those whose exits depend on the guest alone, and not on what was measured of the host.
  private static let policies = PolicyName.allCases.filter { $0 != .adaptive }
  static let iterations = 23
  static let samples = 5

  /// Every experiment that this host can run with a workload under a policy.
  private func experiments(_ workload: Workload.Name, _ policy: PolicyName) throws -> [Experiment] {
    let host = try Host.proved()
    var experiments: [Experiment] = []
    for subject in Host.subjects where host.supports(policy, of: subject) {
      if host.refusals[workload] != nil, Workload(workload).accessesMSR, subject == .specCtrl { continue }
      for entry in host.entries(of: workload) {
        experiments.append(
          try Experiment(
            workload, entry: entry, policy: policy, msr: subject, iterations: Self.iterations, samples: Self.samples))
      }
    }
    return experiments
  }

  /// Runs an experiment up to a pause; gives the guest as it is read from the bytes of its file.
  func stopped(_ experiment: Experiment, after iterations: Int) throws -> (Experiment, ExperimentSnapshot) {
    var experiment = experiment
    try experiment.pause(after: iterations)
    let record = try run(experiment)
    #expect(record.stopped == .paused && !record.completed)
    #expect(record.counters[.portOut] <= record.expected.outs, "the pause is none of the guest's own OUTs")
    return (experiment, try reread(try #require(record.snapshot)))
  }

  func run(
    _ experiment: Experiment, control: RunControl = RunControl(timeLimit: .seconds(120)),
    observing observation: Observation = .nothing
  ) throws -> RunRecord {
    // Every experiment here is about one of the host's subjects.
    let terms = try #require(try Host.proved().terms[experiment.msr])
    return try experiment.run(on: try KVM(), terms: terms, observing: observation, control: control)
  }

  func reread(_ snapshot: ExperimentSnapshot) throws -> ExperimentSnapshot {
    try ExperimentSnapshot(decoding: snapshot.encoded())
  }

  func resumed(
    _ snapshot: ExperimentSnapshot, under policy: PolicyName? = nil,
    control: RunControl = RunControl(timeLimit: .seconds(120))
  ) throws -> RunRecord {
    let kvm = try KVM()
    let paused = try PausedExperiment(snapshot, under: policy)
    let terms = try #require(try Host.proved().terms[paused.experiment.msr])
    return try paused.resume(on: kvm, terms: terms, control: control)
  }

  @Test("for a pause that nobody ordered where it is now ends with an error, though one was ordered before")
  func unorderedPause() throws {
    let experiment = try Experiment(.chatty, entry: .none, policy: .emulate, iterations: 9, samples: 3)
    let (_, snapshot) = try stopped(experiment, after: 5)
    // Its own OUT goes to the port of pauses from now on.
    let (chatter, pause) = ([0xe6, Port.chatter], [0xe6, Port.pause]) as ([UInt8], [UInt8])
    var changed = 0
    let pages = snapshot.pages.map { page in
      var bytes = page.bytes
      for index in 0..<bytes.count - 1 where Array(bytes[index...index + 1]) == chatter {
        bytes.replaceSubrange(index...index + 1, with: pause)
        changed += 1
      }
      return GuestPage(address: page.address, bytes: bytes) ?? page
    }
    try #require(changed > 0)
    #expect {
      try resumed(ExperimentSnapshot(guest: snapshot.guest, pages: pages))
    } throws: { error in
      guard case RunError.unanswered(.common(.portOut(let access)), _) = error else { return false }
      return access.port == UInt16(Port.pause)
    }
  }

  @Test("goes on only where it may: the library asks what the command line asks")
  func admitted() throws {
    let experiment = try Experiment(.chatty, entry: .none, policy: .emulate, iterations: 9, samples: 3)
    let (_, snapshot) = try stopped(experiment, after: 5)
    let kvm = try KVM()
    let here = try #require(try Host.proved().terms[.specCtrl])
    // A host of which this is known offers the guest no more than what it was told here, and not the policy.
    let without = HostAbilities(
      subject: .specCtrl, register: .faulted(wrote: 1), hasIBRSAll: false, canInterceptMSRs: false)
    let resumed = try PausedExperiment(snapshot)
    #expect {
      try resumed.resume(on: kvm, terms: Terms(without))
    } throws: { error in
      guard case ExperimentError.mayNotGoOn(let reason) = error else { return false }
      return !reason.isEmpty && "\(error)".hasPrefix("the guest may not go on here: ")
    }
    #expect(try resumed.resume(on: kvm, terms: here).completed)
  }

  /// Expects that two guests did the same, as far as counts and mailbox tell.
  func expectSame(
    _ record: RunRecord, _ whole: RunRecord, _ what: Comment, counts: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(record.completed, what, sourceLocation: sourceLocation)
    if counts {
      #expect(record.counters.byKind == whole.counters.byKind, what, sourceLocation: sourceLocation)
      #expect(record.counters.byMSR == whole.counters.byMSR, what, sourceLocation: sourceLocation)
      #expect(record.subjectAtEnd == whole.subjectAtEnd, what, sourceLocation: sourceLocation)
    }
    #expect(record.mailbox == whole.mailbox, what, sourceLocation: sourceLocation)
    #expect(record.subjectAtStart == whole.subjectAtStart, what, sourceLocation: sourceLocation)
    #expect(record.subjectAtEnd.guest == whole.subjectAtEnd.guest, what, sourceLocation: sourceLocation)
    #expect(
      record.samples.map(\.iterations) == record.experiment.iterationsPerSample, what, sourceLocation: sourceLocation)
    #expect(record.iterations == whole.iterations, what, sourceLocation: sourceLocation)
  }

  @Test(
    "ends with exactly the counts and the mailbox of one that was never stopped, wherever that was",
    .bounded, arguments: Workload.Name.allCases, Self.policies)
  func matrix(workload: Workload.Name, policy: PolicyName) throws {
    for experiment in try experiments(workload, policy) {
      let whole = try run(experiment)
      for iterations in [0, 9, Self.iterations - 1] {
        let what: Comment = "\(workload), \(experiment.entry), \(policy) of \(experiment.msr), after \(iterations)"
        let (paused, snapshot) = try stopped(experiment, after: iterations)
        let state = snapshot.guest.work
        #expect(state.isBetweenSamples && state.samplesTaken == paused.pause, what)
        #expect(paused.iterationsPerSample.prefix(state.samplesTaken).reduce(0, +) == UInt32(iterations), what)
        let record = try resumed(snapshot)
        expectSame(record, whole, what)
        #expect(record.contract == snapshot.guest.machine.contract, what)
        #expect(
          record.experiment.iterationsPerSample == paused.iterationsPerSample && record.firstOwnSample == paused.pause,
          what)
        #expect(record.origin == snapshot.guest.origin && record.warnings.isEmpty && record.snapshot == nil, what)
        try expectTally(record, what)
        if let exits = record.kvmExits { #expect(exits >= record.counters.total, what) }
      }
    }
  }

  /// What the policies count over both parts.
  private func expectTally(_ record: RunRecord, _ what: Comment) throws {
    // One entry for each exit, and one for the pause, which is no exit of the guest's own.
    let entries = record.counters.total + record.counters.interruptions + 1
    switch record.experiment.policy {
    case .passthrough, .emulate: #expect(record.tally.isEmpty, what)
    case .autoload:
      #expect(record.tally == ["entryLoads": entries, "exitStores": entries, "exitLoads": entries], what)
    case .manual: #expect(record.tally["reads"] == entries, what)
    case .adaptive: Issue.record("it is not among the policies here")
    case .shadow:
      let isHeld = try Host.proved().terms[record.experiment.msr]?.abilities.register.isHeld == true
      let changes = record.experiment.workload.name == .ssbd && isHeld ? record.expected.writes : 0
      #expect(record.tally == ["registerWrites": changes], what)
    }
  }

  @Test("ends the same however often it was stopped", arguments: [Workload.Name.ibrs, .chatty, .bare, .probe, .mmio])
  func again(workload: Workload.Name) throws {
    for policy in Self.policies {
      for experiment in try experiments(workload, policy) {
        let what: Comment = "\(workload), \(experiment.entry), \(policy) of \(experiment.msr)"
        let whole = try run(experiment)
        var (_, snapshot) = try stopped(experiment, after: 7)
        for _ in 0..<3 {
          // Before its first instruction there.
          let control = RunControl(timeLimit: .seconds(60))
          control.pause()
          let record = try resumed(snapshot, control: control)
          #expect(record.stopped == .paused, what)
          snapshot = try reread(try #require(record.snapshot))
        }
        #expect(snapshot.guest.machine.counters.interruptions >= 3, what)
        let record = try resumed(snapshot)
        #expect(record.counters.byKind == whole.counters.byKind && record.counters.byMSR == whole.counters.byMSR, what)
        expectSame(record, whole, what)
      }
    }
  }

  @Test(
    "ends the same when it was stopped at any moment", .bounded,
    arguments: [Workload.Name.ibrs, .chatty, .retpoline, .probe], [PolicyName.emulate, .manual, .shadow])
  func anyMoment(workload: Workload.Name, policy: PolicyName) throws {
    let host = try Host.proved()
    var random = SeededGenerator(seed: 5)
    for subject in Host.subjects where host.supports(policy, of: subject) {
      let entry = host.entries(of: workload)[0]
      let experiment = try Experiment(
        workload, entry: entry, policy: policy, msr: subject, iterations: 400, samples: 8)
      let clock = ContinuousClock()
      var whole: RunRecord?
      let duration = try clock.measure { whole = try run(experiment) }
      let reference = try #require(whole)
      var stops = 0
      // A pause may come too early or too late for a guest that takes no time.
      for _ in 0..<20 where stops < 2 {
        let delay = duration * Double.random(in: 0.1..<0.9, using: &random)
        let control = RunControl(timeLimit: .seconds(60))
        let pause = try Thread {
          usleep(UInt32(max(0, delay / .microseconds(1))))
          control.pause()
        }
        var record = try run(experiment, control: control)
        pause.join()
        control.discardPause()
        guard let snapshot = record.snapshot else { continue }
        stops += 1
        #expect(record.stopped == .paused && snapshot.guest.work.isBetweenSamples == false)
        record = try resumed(try reread(snapshot))
        let what: Comment = "\(workload), \(entry), \(policy) of \(subject), stop \(stops)"
        expectSame(record, reference, what)
        // The sample that was interrupted has two hosts' time in it.
        #expect(record.firstOwnSample == snapshot.guest.work.samplesTaken + 1, what)
        #expect(record.cyclesPerIteration.count == max(0, 8 - record.firstOwnSample), what)
      }
      #expect(stops > 0, "\(workload) under \(policy): no pause met the guest")
    }
  }

  @Test("ends the same when it was stopped at an exit of its own", arguments: [1, 2, 7, 45])
  func atExit(number: Int) throws {
    let host = try Host.proved()
    let experiment = try Experiment(
      .ibrs, entry: host.entries[0], policy: .emulate, msr: .kernelGSBase, iterations: 25, samples: 5)
    let whole = try run(experiment)
    let control = RunControl(timeLimit: .seconds(60))
    let exits = Mutex(0)
    let record = try run(
      experiment, control: control,
      observing: .trace { _ in
        let count = exits.withLock { exits in
          exits += 1
          return exits
        }
        if count == number { control.pause() }
      })
    let snapshot = try #require(record.snapshot)
    #expect(record.counters[.writeMSR] >= number && record.counters[.writeMSR] <= number + 1)
    expectSame(try resumed(try reread(snapshot)), whole, "exit \(number)")
  }

  @Test(
    "goes on under another policy, with the MSR as it was, and ends with the same mailbox",
    .bounded, arguments: Self.policies, Self.policies)
  func otherPolicy(first: PolicyName, second: PolicyName) throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(first, of: subject) && host.supports(second, of: subject) {
      for workload in [Workload.Name.ibrs, .ibrsAll, .wrmsr, .chatty] {
        let entry = host.entries(of: workload)[0]
        let experiment = try Experiment(
          workload, entry: entry, policy: first, msr: subject, iterations: Self.iterations, samples: Self.samples)
        let whole = try run(experiment)
        let (_, snapshot) = try stopped(experiment, after: 9)
        let record = try resumed(snapshot, under: second)
        let what: Comment = "\(workload) of \(subject), \(first), then \(second)"
        #expect(record.experiment.policy == second, what)
        let kinds = [PolicyName.emulate, .shadow]
        let isSameKind = kinds.contains(first) == kinds.contains(second)
        expectSame(record, whole, what, counts: first == second)
        #expect(
          record.interceptsSubject == (isSameKind ? (kinds.contains(first) ? .always : .never) : .underOthersBefore),
          what)
        let (built, before) = (record.expectedAccesses(of: subject), snapshot.guest.machine.counters.byMSR[subject])
        let found = record.counters.byMSR[subject]
        if isSameKind {
          #expect(record.counters.byKind == whole.counters.byKind, what)
        } else if kinds.contains(first) {
          #expect(found == before, "\(what): what reached the VMM before, and nothing more")
        } else {
          #expect(before == nil, what)
          #expect((found?.writes ?? 0) <= built.writes && (found?.reads ?? 0) <= built.reads, what)
          let rest = UInt64(Self.iterations - 9)
          let perIteration = record.experiment.workload.perIteration
          #expect((found?.writes ?? 0) == perIteration.writes * rest, what)
          #expect((found?.reads ?? 0) == perIteration.reads * rest, what)
        }
      }
    }
  }
}
