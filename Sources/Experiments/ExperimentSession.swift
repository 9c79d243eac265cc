// A guest of an experiment on this host, from its start or from a snapshot: it runs, stops, goes on, and ends as a
// record or as a snapshot.

import CKVM
import GuestImages
import Hypervisor
import Measurement
import Migration

/// A machine with an experiment's guest in it.
struct ExperimentSession<P: Policy & ~Copyable>: ~Copyable {
  let experiment: Experiment
  let protection: Protection
  let terms: Terms
  var machine: Machine<P>
  /// What the guest brought from elsewhere; nil for one that starts here.
  private let resumed: PortableGuest<ExperimentState>?
  private let interceptsSubject: RunRecord.Interception
  private let subjectAtStart: SubjectValue
  private let statisticsAtStart: SecondWitness
  private var statistics = SecondWitness.silent("the guest has not run")
  /// Whether the guest has yet to come to the pause that was ordered.
  private var awaitsPause: Bool
  private var ports: GuestPorts
  private var hostCycles: UInt64 = 0
  /// The host's clock at the first entry and at the last exit.
  private var stay: (start: UInt64, end: UInt64)?
  private let rates: CounterRates?
  private var disturbance = RunRecord.Disturbance()
  private var roundTrips: [String: CycleSummary]?

  /// Makes the machine and puts the guest into it.
  ///
  /// - Throws: `ExperimentError.workloadRefused` when the guest is told too little for its work, and what making,
  ///   loading or restoring a machine throws.
  init(
    _ experiment: Experiment, from start: ExperimentStart, policy: consuming P, terms: Terms,
    on kvm: borrowing KVM
  ) throws {
    let presented: GuestContract? =
      switch start {
      case .image: experiment.contract
      case .snapshot(let snapshot): snapshot.guest.machine.presented
      }
    // That a policy protects nothing is in every result: this is an instrument.
    var machine = try Machine(
      on: kvm, policy: policy, terms: terms, acceptingNoProtection: true, presenting: presented)
    if case .image = start, let reason = experiment.workload.refusal(toldOf: machine.presented) {
      throw ExperimentError.workloadRefused(experiment.workload.name, reason)
    }
    let intercepted = machine.currentPolicy.intercepts.contains(experiment.msr)
    let isFixed = !machine.currentPolicy.changesIntercepts
    var intercepts: RunRecord.Interception = !intercepted ? .never : isFixed ? .always : .atTimes
    let resumed: PortableGuest<ExperimentState>?
    let rates: CounterRates?
    let subjectAtStart: SubjectValue
    let awaitsPause: Bool
    switch start {
    case .image(let image):
      try machine.load(image, orders: experiment.iterationsPerSample, pausingBefore: experiment.pause)
      resumed = nil
      rates = nil
      awaitsPause = experiment.pause != nil
      subjectAtStart = try machine.subjectValue()
    case .snapshot(let snapshot):
      var state = snapshot.guest.machine
      if snapshot.guest.policy != experiment.policy.rawValue { state.policyState = nil }
      let hostRate = try machine.vcpu.tscFrequency()
      try machine.restore(state, snapshot.pages)
      try machine.vcpu.checkRate(state.cpu.tscKilohertz, on: kvm)
      rates = CounterRates(guest: try machine.vcpu.tscFrequency(), host: hostRate)
      resumed = snapshot.guest
      // No command that starts from a file orders one, whatever stands there.
      awaitsPause = false
      if snapshot.guest.work.interceptionSoFar != intercepts { intercepts = .underOthersBefore }
      subjectAtStart = snapshot.guest.work.subjectAtStart
    }
    statisticsAtStart = SecondWitness(of: machine.vcpu)
    self.awaitsPause = awaitsPause
    ports = GuestPorts(for: experiment.workload)
    interceptsSubject = intercepts
    self.experiment = experiment
    protection = machine.protection.given(machine.contract, about: experiment.msr)
    self.terms = terms
    self.machine = machine
    self.resumed = resumed
    self.rates = rates
    self.subjectAtStart = subjectAtStart
  }

  /// Runs the guest until it is done, comes to its pause, or the control stops it; gives why it is not done, nil when
  /// it is.
  ///
  /// - Throws: `RunError`, `KVMError`; `ExperimentError.guestFault` when the guest stopped on an exception of its own.
  mutating func run(observing observation: Observation, control: RunControl) throws -> RunControl.Stop? {
    // A guest that was to be taken away at its pause, and was not, goes on: that pause is over.
    ports = GuestPorts(for: experiment.workload, awaitingPause: awaitsPause)
    let end: Machine<P>.End
    switch observation {
    case .nothing:
      var observer = NoObserver()
      end = try timed(&observer, control)
    case .roundTrips:
      var timer = RoundTripTimer()
      end = try timed(&timer, control)
      roundTrips = timer.summaries
    case .trace(let sink):
      var trace = ExitTrace(sink: sink)
      end = try timed(&trace, control)
    case .portOuts(let count):
      var counter = PortOutCounter(count: count)
      end = try timed(&counter, control)
    }
    // KVM's count first: finishing the last exit and reading registers must not be in it.
    statistics = SecondWitness(of: machine.vcpu)
    if ports.isPaused {
      machine.discountPortOut()
      awaitsPause = false
    }
    if let exit = try machine.vcpu.completeExit() { throw VirtualCPUStateError.pending(exit) }
    if let fault = try machine.mailbox().fault { throw ExperimentError.guestFault(fault) }
    if ports.isPaused {
      let taken = try samples().count
      guard taken == experiment.pause else {
        throw ExperimentError.mailbox(
          "the guest stopped after \(taken) samples for a pause that was ordered after \(experiment.pause ?? 0)")
      }
    }
    return switch end {
    case .finished: ports.isPaused ? .paused : nil
    case .stopped(let stop): stop
    }
  }

  @inline(__always) private mutating func timed<O: ExitObserver & ~Copyable>(
    _ observer: inout O, _ control: RunControl
  ) throws(RunError) -> Machine<P>.End {
    let before = ThreadTime.now()
    let interruptions = machine.counters.interruptions
    let began = ckvm_ordered_rdtsc()
    let end: Machine<P>.End
    do {
      defer {
        let ended = ckvm_ordered_rdtsc()
        hostCycles &+= ended &- began
        stay = (stay?.start ?? began, ended)
      }
      end = try machine.run(&ports, observer: &observer, control: control)
    }
    disturbance.add(before, ThreadTime.now())
    // The last interruption of a run that was stopped was ordered.
    let ordered: UInt64 = end == .finished ? 0 : 1
    let signals = machine.counters.interruptions &- interruptions
    disturbance.signals += signals > ordered ? signals - ordered : 0
    return end
  }

  // MARK: Results

  /// What there is to tell of a guest that is done, or was stopped.
  ///
  /// - Throws: `ExperimentError.contradiction` when the witnesses disagree.
  func record(stopped: RunControl.Stop?) throws -> RunRecord {
    var record = RunRecord(
      experiment: experiment, protection: protection, stopped: stopped, interceptsSubject: interceptsSubject,
      counters: machine.counters, kvmStatistics: kvmStatistics, mailbox: try machine.mailbox(),
      samples: try samples(), firstOwnSample: firstOwnSample, subjectAtStart: subjectAtStart,
      subjectAtEnd: try machine.subjectValue(), contract: machine.contract, hostCycles: totalHostCycles,
      hostCyclesHere: stay.map { $0.end &- $0.start } ?? 0, rates: rates, disturbance: disturbance,
      roundTrips: roundTrips, tally: tally,
      origin: resumed?.origin, warnings: resumed?.warnings ?? [])
    record.whyNoStatistics = whyNoStatistics
    try record.verify()
    return record
  }

  /// The state of a guest that was stopped, to go on elsewhere; `host` is this one, `origin` what it is called,
  /// `accepting` whether the user accepts now that its policy gives up a protection.
  ///
  /// - Throws: `VirtualCPUStateError` when KVM does not give it, `ExperimentError.imageStays`.
  mutating func portableGuest(
    on kvm: borrowing KVM, from host: HostOffer, origin: String, accepting: Bool = false
  ) throws -> PortableGuest<ExperimentState> {
    guard experiment.image == nil else { throw ExperimentError.imageStays }
    let samplesTaken = try samples().count
    return PortableGuest(
      origin: origin, policy: experiment.policy.rawValue, warnings: resumed?.warnings ?? [],
      machine: try machine.state(on: kvm),
      work: ExperimentState(
        workload: experiment.workload.name.text, parameters: experiment.workload.namedParameters,
        msr: experiment.workload.msr.rawValue, entry: experiment.entry.rawValue, orders: experiment.iterationsPerSample,
        pause: experiment.pause, samplesTaken: samplesTaken,
        isBetweenSamples: ports.isPaused && samplesTaken == experiment.pause, protection: protection.level.rawValue,
        hasIBPB: host.hasIBPB, acceptsUnprotected: terms.acceptsUnprotected || accepting,
        subjectAtStart: subjectAtStart,
        kvmStatistics: kvmStatistics, interception: interceptsSubject, tally: tallyToTake, hostCycles: totalHostCycles))
  }

  /// The guest as the decision whether it may move wants to know it.
  ///
  /// - Throws: What reading the subject throws.
  func movingGuest(from host: HostOffer) throws -> MovingGuest {
    MovingGuest(
      contract: machine.contract, policy: experiment.policy, subject: experiment.msr, protection: protection.level,
      inUse: SpecCtrl(rawValue: try machine.subjectValue().guest ?? 0), hasIBPB: host.hasIBPB,
      hasWritten: machine.counters.hasWrittenSubject,
      featureMSRs: resumed.map { FeatureMSRs(among: $0.machine.cpu.msrs) } ?? host.featureMSRs ?? FeatureMSRs(),
      tscKilohertz: host.clock.map { clock in
        resumed?.machine.cpu.tscKilohertz.flatMap { clock.gives($0) ? $0 : nil } ?? clock.kilohertz
      })
  }

  /// The guest that was stopped, as a snapshot.
  ///
  /// - Throws: `VirtualCPUStateError` when KVM does not give its state.
  mutating func snapshot(on kvm: borrowing KVM, origin: String) throws -> ExperimentSnapshot {
    ExperimentSnapshot(
      guest: try portableGuest(on: kvm, from: try HostOffer.prove(on: kvm, abilities: terms.abilities), origin: origin),
      pages: try machine.vm.pages())
  }

  /// The samples that the guest has completed.
  private func samples() throws -> [SampleRecord] { try machine.samples(ordered: experiment.iterationsPerSample) }

  /// The first sample that was timed on this host alone.
  private var firstOwnSample: Int {
    resumed.map { $0.work.samplesTaken + ($0.work.isBetweenSamples ? 0 : 1) } ?? 0
  }

  private var totalHostCycles: UInt64 { hostCycles &+ (resumed?.work.hostCycles ?? 0) }

  private var kvmStatistics: [String: UInt64]? {
    guard let before = statisticsAtStart.statistics, let here = statistics.statistics?.growth(since: before) else {
      return nil
    }
    guard let resumed else { return here }
    return resumed.work.kvmStatistics.map { $0.merging(here, uniquingKeysWith: &+) }
  }

  private var whyNoStatistics: String? {
    if let silence = statisticsAtStart.silence ?? statistics.silence { return silence }
    guard let resumed, resumed.work.kvmStatistics == nil else { return nil }
    return "KVM's own count of the guest's exits where it ran before is not known"
  }

  /// The tally of a guest that goes: wherever it goes on, a register that is open now begins closed.
  private var tallyToTake: [String: UInt64] {
    var tally = tally
    if let open = tally.removeValue(forKey: "openAtEnd") { tally["closes", default: 0] &+= open }
    return tally
  }

  private var tally: [String: UInt64] {
    let own = machine.currentPolicy.tally.map { ($0.name, $0.count) }
    guard let resumed else { return Dictionary(uniqueKeysWithValues: own) }
    // A policy that goes on from its state counts on.
    let countsOn = resumed.machine.policyState != nil && resumed.policy == experiment.policy.rawValue
    return resumed.work.tally.merging(own) { countsOn ? $1 : $0 &+ $1 }
  }
}

/// Where a guest comes from.
enum ExperimentStart {
  case image(GuestImage)
  case snapshot(ExperimentSnapshot)
}

extension Machine where P: ~Copyable {
  /// The guest's mailbox.
  ///
  /// - Throws: `ExperimentError.mailbox` when what stands there is no mailbox.
  func mailbox() throws -> Mailbox { try vm.mailbox() }

  /// The samples that the guest has completed.
  ///
  /// - Throws: `ExperimentError.mailbox` when a record was changed in a way that the guest's code does not.
  fileprivate func samples(ordered orders: [UInt32]) throws -> [SampleRecord] {
    let bytes = try vm.read(orders.count * SampleRecord.size, at: GuestPhysicalAddress(Layout.samples))
    let records = SampleRecord.records(in: bytes)
    guard records.map(\.iterations) == orders else {
      throw ExperimentError.mailbox("the guest has changed the iterations that were ordered")
    }
    return Array(records.prefix(while: \.isComplete))
  }
}

extension RunRecord.Disturbance {
  /// Adds what there was of it between two readings, the signals apart.
  fileprivate mutating func add(_ before: ThreadTime, _ after: ThreadTime) {
    let (elapsed, running) = (after.elapsed - before.elapsed, after.running - before.running)
    seconds += elapsed / .seconds(1)
    waited += max(.zero, elapsed - running) / .seconds(1)
    preemptions += after.preemptions - before.preemptions
  }
}

extension CounterRates {
  /// The rates that KVM tells, nil where it does not.
  fileprivate init?(guest: Int?, host: Int?) {
    guard let guest, let host else { return nil }
    self.init(guest: guest, host: host, tolerance: Self.toleranceOfKVM())
  }
}

/// KVM's own counters at one moment; or why it does not tell them, which takes this witness away, not the run.
private enum SecondWitness {
  case counters(Statistics)
  case silent(String)

  init(of cpu: borrowing VirtualCPU) {
    do throws(KVMError) {
      if let statistics = try cpu.statistics() {
        self = .counters(statistics)
      } else {
        self = .silent("this KVM has no binary statistics (KVM_GET_STATS_FD, since Linux 5.14)")
      }
    } catch { self = .silent("KVM's own count cannot be read: \(error)") }
  }

  var statistics: Statistics? { if case .counters(let statistics) = self { statistics } else { nil } }
  var silence: String? { if case .silent(let why) = self { why } else { nil } }
}

extension Statistics {
  /// By how much each counter grew.
  fileprivate func growth(since before: Statistics) -> [String: UInt64] {
    values.reduce(into: [:]) { growth, statistic in
      guard statistic.value.count == 1, let old = before[statistic.key], statistic.value[0] > old else { return }
      growth[statistic.key] = statistic.value[0] - old
    }
  }
}
