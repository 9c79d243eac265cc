// An experiment's guest on this host: it starts from an image or a snapshot, runs, and ends as a record or a snapshot.

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
  /// The guest's state from elsewhere; nil for a guest that starts here.
  private let resumed: PortableGuest<ExperimentState>?
  private let interceptsSubject: RunRecord.Interception
  private let subjectAtStart: SubjectValue
  private let statisticsAtStart: SecondWitness
  private var statistics = SecondWitness.silent("the guest has not run")
  private var exitReasons: [String: UInt64]?
  /// Whether the guest has not yet reached its pause.
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
    let contract: GuestContract? =
      switch start {
      case .image: experiment.contract
      case .snapshot(let snapshot): snapshot.guest.machine.requestedContract
      }
    // That a policy protects nothing is in every result: this is an instrument.
    var machine = try Machine(
      on: kvm, policy: policy, terms: terms.acceptingNoProtection(), contract: contract)
    if case .image = start, let reason = experiment.workload.refusal(toldOf: machine.requestedContract) {
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
      try machine.load(image, iterations: experiment.iterationsPerSample, pausingBefore: experiment.pause)
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
      // No command that starts from a file asks for a pause, so the one in the file is ignored.
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

  /// Runs the guest until it is done, reaches its pause, or the control stops it.
  ///
  /// - Returns: why the guest is not done, or nil when it is.
  /// - Throws: `RunError`, `KVMError`; `ExperimentError.guestFault` when the guest stopped on its own exception.
  mutating func run(observing observation: Observation, control: RunControl) throws -> RunControl.Stop? {
    // A guest that continues after its pause does not pause again.
    ports = GuestPorts(for: experiment.workload, awaitingPause: awaitsPause)
    let end: Machine<P>.End
    let reasonsBefore = try experiment.exitReasonTrace?.counts()
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
    // KVM's count comes first: it must not include finishing the last exit and reading registers.
    statistics = SecondWitness(of: machine.vcpu)
    if let reasonsBefore, let reasons = try experiment.exitReasonTrace?.counts() {
      exitReasons = reasons.growth(since: reasonsBefore)
    }
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
          "the guest paused after \(taken) samples, but its pause was set after \(experiment.pause ?? 0)")
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
    let outs = machine.counters[.portOut]
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
    // The last interruption of a stopped run is its stop.
    let stops: UInt64 = end == .finished ? 0 : 1
    let signals = machine.counters.interruptions &- interruptions
    // Those that the guest is built to cause are no disturbance.
    let ordered = stops + (experiment.workload.perIteration.interruptions > 0 ? machine.counters[.portOut] &- outs : 0)
    disturbance.signals += signals > ordered ? signals - ordered : 0
    return end
  }

  // MARK: Results

  /// The record of a guest that is done or stopped, with its snapshot if one was taken.
  ///
  /// - Throws: `ExperimentError.contradiction` when the witnesses disagree.
  func record(stopped: RunControl.Stop?, snapshot: ExperimentSnapshot? = nil) throws -> RunRecord {
    let record = RunRecord(
      experiment: experiment, protection: protection, mechanism: P.mechanism, stopped: stopped,
      interceptsSubject: interceptsSubject,
      counters: machine.counters, kvmStatistics: kvmStatistics, whyNoStatistics: whyNoStatistics,
      mailbox: try machine.mailbox(), samples: try samples(), firstOwnSample: firstOwnSample,
      subjectAtStart: subjectAtStart,
      subjectAtEnd: try machine.subjectValue(), contract: machine.contract, hostCycles: totalHostCycles,
      hostCyclesHere: stay.map { $0.end &- $0.start } ?? 0, rates: rates, disturbance: disturbance,
      roundTrips: roundTrips, tally: tally,
      origin: resumed?.origin, warnings: resumed?.warnings ?? [], snapshot: snapshot, exitReasons: exitReasons)
    try record.verify()
    return record
  }

  /// The state of a stopped guest, to continue elsewhere.
  ///
  /// - Parameters:
  ///   - host: what this host offers.
  ///   - origin: this host's description.
  ///   - accepting: whether the user accepts now that the policy gives up a protection.
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
        msr: experiment.workload.msr.rawValue, entry: experiment.entry.rawValue,
        iterationsPerSample: experiment.iterationsPerSample,
        pause: experiment.pause, samplesTaken: samplesTaken,
        isBetweenSamples: ports.isPaused && samplesTaken == experiment.pause, protection: protection.level.rawValue,
        hasIBPB: host.hasIBPB, acceptsUnprotected: terms.acceptsUnprotected || accepting,
        subjectAtStart: subjectAtStart,
        kvmStatistics: kvmStatistics, interception: interceptsSubject, tally: tallyToTake, hostCycles: totalHostCycles))
  }

  /// The guest's properties for the decision whether it may move.
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

  /// The stopped guest as a snapshot.
  ///
  /// - Throws: `VirtualCPUStateError` when KVM does not give its state.
  mutating func snapshot(on kvm: borrowing KVM, origin: String) throws -> ExperimentSnapshot {
    ExperimentSnapshot(
      guest: try portableGuest(on: kvm, from: try HostOffer.prove(on: kvm, abilities: terms.abilities), origin: origin),
      pages: try machine.vm.pages())
  }

  /// The samples that the guest has completed.
  private func samples() throws -> [SampleRecord] { try machine.samples(iterations: experiment.iterationsPerSample) }

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
    return "KVM's own count of the guest's exits on its earlier host is not known"
  }

  /// The tally of a guest that leaves.
  ///
  /// A register that is open now starts closed elsewhere.
  private var tallyToTake: [String: UInt64] {
    var tally = tally
    if let open = tally.removeValue(forKey: "openAtEnd") { tally["closes", default: 0] &+= open }
    return tally
  }

  private var tally: [String: UInt64] {
    let own = machine.currentPolicy.tally.map { ($0.name, $0.count) }
    guard let resumed else { return Dictionary(uniqueKeysWithValues: own) }
    // A policy that continues from its state continues its counts.
    let countsOn = resumed.machine.policyState != nil && resumed.policy == experiment.policy.rawValue
    return resumed.work.tally.merging(own) { countsOn ? $1 : $0 &+ $1 }
  }
}

/// What a guest starts from.
enum ExperimentStart {
  case image(GuestImage), snapshot(ExperimentSnapshot)
}

extension Machine where P: ~Copyable {
  /// The guest's mailbox.
  ///
  /// - Throws: `ExperimentError.mailbox` when its content is impossible.
  func mailbox() throws -> Mailbox { try vm.mailbox() }

  /// The samples that the guest has completed.
  ///
  /// - Throws: `ExperimentError.mailbox` when the guest has changed a record's number of iterations.
  fileprivate func samples(iterations: [UInt32]) throws -> [SampleRecord] {
    let bytes = try vm.read(iterations.count * SampleRecord.size, at: GuestPhysicalAddress(Layout.samples))
    let records = SampleRecord.records(in: bytes)
    guard records.map(\.iterations) == iterations else {
      throw ExperimentError.mailbox("the guest has changed the number of iterations of a sample")
    }
    return Array(records.prefix(while: \.isComplete))
  }
}

extension RunRecord.Disturbance {
  /// Adds the disturbance between two readings, except the signals.
  fileprivate mutating func add(_ before: ThreadTime, _ after: ThreadTime) {
    let (elapsed, running) = (after.elapsed - before.elapsed, after.running - before.running)
    seconds += elapsed / .seconds(1)
    waited += max(.zero, elapsed - running) / .seconds(1)
    preemptions += after.preemptions - before.preemptions
  }
}

extension CounterRates {
  /// The rates that KVM reports; nil where it does not.
  fileprivate init?(guest: Int?, host: Int?) {
    guard let guest, let host else { return nil }
    self.init(guest: guest, host: host, tolerance: Self.toleranceOfKVM())
  }
}

/// KVM's own counters at one moment, or why they cannot be read.
///
/// A run without them has one witness fewer.
private enum SecondWitness {
  case counters(Statistics), silent(String)

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
