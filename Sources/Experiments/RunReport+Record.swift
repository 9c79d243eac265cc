// Makes a run's report from its record.

import GuestImages
import Hypervisor
public import Measurement

extension RunReport {
  /// The report of a record, on this host, with the reason for its entry.
  public init(_ record: RunRecord, identity: ResultIdentity? = nil, host: HostReport?, entryChoice: String) {
    let experiment = record.experiment
    self.init(
      identity: identity, host: host, workload: experiment.workload.name,
      parameters: experiment.workload.resultParameters,
      entry: .known(experiment.entry),
      entryChoice: entryChoice, policy: .known(experiment.policy),
      mechanism: record.mechanism.map(Known.known), iterations: record.iterations,
      samples: experiment.iterationsPerSample.count,
      protection: Protection(level: .known(record.protection.level), reason: record.protection.reason),
      warnings: record.warnings, origin: record.origin, completed: record.completed,
      stopped: record.stopped.map { "\($0)" }, exits: Exits(record.counters),
      kvm: KVM(
        exits: record.kvmExits, lightExits: record.lightExits, statistics: record.kvmStatistics,
        whyNone: record.kvmStatistics == nil ? record.whyNoStatistics : nil, exitReasons: record.exitReasons),
      guest: Guest(record),
      vmm: VMM(cyclesPerExit: record.hostCyclesPerExit, roundTrips: record.roundTrips),
      msr: Register(
        experiment.msr, start: record.subjectAtStart.guest,
        end: record.subjectAtEnd.guest, registerStart: record.subjectAtStart.register,
        registerEnd: record.subjectAtEnd.register),
      policyTally: record.tally)
  }
}

extension RunReport.Exits {
  fileprivate init(_ counters: ExitCounters) {
    self.init(
      total: counters.total,
      byReason: Dictionary(counters.byKind.map { ($0.key.name, $0.value) }, uniquingKeysWith: +),
      byMSR: Dictionary(
        counters.byMSR.map { (.known($0.key), RunReport.Accesses(reads: $0.value.reads, writes: $0.value.writes)) },
        uniquingKeysWith: { first, _ in first }),
      interruptions: counters.interruptions)
  }
}

extension RunReport.Guest {
  fileprivate init(_ record: RunRecord) {
    let doubt = record.clockDoubt
    let distribution = doubt == nil ? Distribution(record.cyclesPerIteration) : nil
    let isProbe = record.experiment.workload.name == .probe
    self.init(
      cyclesPerIteration: distribution?.median, distribution: distribution, clockDoubt: doubt,
      kernelEntries: record.completed ? record.mailbox.kernelEntries : nil,
      expected: RunReport.Expected(
        msr: .known(record.experiment.workload.msr), msrReads: record.expected.reads,
        msrWrites: record.expected.writes, portOuts: record.expected.outs + 1, mmioWrites: record.expected.stores,
        halts: record.expected.halts),
      told: SpeculationView(record.contract.cpuid, archCapabilities: record.contract.archCapabilities.rawValue),
      sees: isProbe || !record.hasLooked ? nil : SpeculationView(record.mailbox),
      probe: isProbe
        ? record.mailbox.probeSteps.map {
          RunReport.ProbeStep(step: "\($0.step)", faulted: $0.faulted, value: $0.value)
        } : nil)
  }
}

extension RunRecord {
  /// Whether the guest says what it saw of CPUID: an image from elsewhere need not.
  fileprivate var hasLooked: Bool {
    experiment.image == nil || mailbox.leaf7EDX != 0 || mailbox.amdLeafEBX != 0
  }
}

extension Workload {
  /// The parameters in a result.
  fileprivate var resultParameters: [String: Int] {
    isBaseline ? namedParameters.merging(["baseline": 1]) { $1 } : namedParameters
  }
}
