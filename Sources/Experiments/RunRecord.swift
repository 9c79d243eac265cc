// The raw record of a run, without statistics.

public import GuestImages
public import Hypervisor
public import Measurement
public import Migration

/// The record of one run.
public struct RunRecord: Sendable {
  public let experiment: Experiment
  public let protection: Protection
  /// Who carried out a mechanism of the hardware that the policy names; nil if it names none.
  public internal(set) var mechanism: PolicyMechanism?
  /// Why the guest did not run to its end; nil when it did.
  public let stopped: RunControl.Stop?
  /// When accesses of the MSR exit to the VMM under this policy.
  public let interceptsSubject: Interception
  /// The first witness.
  public let counters: ExitCounters
  /// The second witness: the growth of each of KVM's statistics; nil where they could not be read.
  public let kvmStatistics: [String: UInt64]?
  /// Why the statistics could not be read, in a sentence; nil where they could.
  public let whyNoStatistics: String?
  /// The third witness.
  public let mailbox: Mailbox
  /// The samples that were completed.
  public let samples: [SampleRecord]
  /// The first sample that was timed only on this host: 0 for a guest that started here.
  public let firstOwnSample: Int
  public let subjectAtStart: SubjectValue
  public let subjectAtEnd: SubjectValue
  /// What the guest was told, read back from KVM.
  public let contract: GuestContract
  /// Host cycles from the first entry to the last exit.
  public let hostCycles: UInt64
  /// The same only on this host, including the pauses, during which the guest's clock continued.
  public let hostCyclesHere: UInt64
  /// The rates of the guest's and this host's time-stamp counters; nil for a guest that has the host's.
  let rates: CounterRates?
  /// How the guest was kept from running on this host.
  public let disturbance: Disturbance
  public let roundTrips: [String: CycleSummary]?
  public let tally: [String: UInt64]
  /// The host that the guest came from, in words; nil for one that started here.
  public let origin: String?
  /// What the guest lost when it was moved against advice, and what is missing or was lost here.
  public internal(set) var warnings: [String]
  /// The paused guest; nil when it ended, or was stopped for another reason.
  public let snapshot: ExperimentSnapshot?
  /// The exits on this host by KVM's reasons for them; nil where that was not asked for.
  public var exitReasons: [String: UInt64]?

  /// How a guest was kept from running.
  public struct Disturbance: Sendable {
    /// How long its runs took, and how long its thread did not run meanwhile, in seconds.
    public internal(set) var seconds = 0.0
    public internal(set) var waited = 0.0
    /// How often its thread was preempted.
    public internal(set) var preemptions: UInt64 = 0
    /// How often a foreign signal ended KVM_RUN.
    public internal(set) var signals: UInt64 = 0
  }

  /// When accesses of an MSR exit to the VMM.
  public enum Interception: String, Codable, Sendable {
    case never, always
    /// As the policy decides while the guest runs; its tally says how often it opened and closed the register.
    case atTimes
    /// The guest ran under other policies before, so its counts say nothing about this one.
    case underOthersBefore
  }

  /// Whether the guest ran to its end.
  public var completed: Bool { stopped == nil }
  /// KVM's count of exits.
  public var kvmExits: UInt64? { kvmStatistics?["exits"] }
  /// The exits that KVM ended by itself.
  public var lightExits: UInt64? { kvmExits.map { $0 >= counters.total ? $0 - counters.total : 0 } }
  /// The iterations of all samples.
  public var iterations: UInt64 { experiment.iterationsPerSample.reduce(0) { $0 + UInt64($1) } }
  /// What the guest was built to do in all.
  public var expected: Workload.Actions { experiment.workload.actions(iterations: iterations) }
  /// The accesses of an MSR that the guest was built to make.
  public func expectedAccesses(of msr: MSR) -> (reads: UInt64, writes: UInt64) {
    msr == experiment.workload.msr ? (expected.reads, expected.writes) : (0, 0)
  }
  /// Guest clock ticks for one iteration, for each sample that was timed only on this host.
  public var cyclesPerIteration: [Double] {
    samples.dropFirst(firstOwnSample).map { Double($0.ticks) / Double($0.iterations) }
  }
  /// Host cycles of the whole run over the exits to the VMM; nil for a guest that does not exit in each iteration: its
  /// run is mostly something other than exits.
  public var hostCyclesPerExit: Double? {
    let done = samples.reduce(0) { $0 + UInt64($1.iterations) }
    return counters.total > max(1, done) ? Double(hostCycles) / Double(counters.total) : nil
  }
}

extension RunRecord {
  /// Compares the witnesses with each other.
  ///
  /// A run that was stopped early must not exceed the expected counts.
  ///
  /// - Throws: `ExperimentError.contradiction`.
  func verify() throws(ExperimentError) {
    var contradictions: [String] = []
    func compare(_ what: String, _ found: UInt64, _ expected: UInt64) {
      if completed ? found != expected : found > expected {
        contradictions.append("\(what): \(found) counted, \(expected) expected")
      }
    }
    let subject = counters.byMSR[experiment.msr]
    let built = expectedAccesses(of: experiment.msr)
    for (what, found, built) in [
      ("reads", subject?.reads ?? 0, built.reads), ("writes", subject?.writes ?? 0, built.writes),
    ] {
      let what = "\(what) of \(experiment.msr) that reached the VMM"
      if interceptsSubject == .always || (interceptsSubject == .atTimes && opens == 0) {
        compare(what, found, built)
      } else if interceptsSubject == .never {
        compare(what, found, 0)
      } else if found > built {
        contradictions.append("\(what): \(found) counted, at most \(built) expected")
      }
    }
    if interceptsSubject == .atTimes { contradictions += contradictionsOfTally(accesses: subject) }
    for (msr, _) in counters.byMSR where msr != experiment.msr {
      contradictions.append("\(msr) reached the VMM, which intercepts \(experiment.msr) alone")
    }
    compare("OUTs", counters[.portOut], expected.outs + 1)
    if completed, counters.interruptions < expected.interruptions {
      contradictions.append(
        "KVM_RUN returned \(counters.interruptions) times without an exit, \(expected.interruptions) expected")
    }
    if expected.stores > 0 { compare("stores without memory", counters[.mmioWrite], expected.stores) }
    if expected.halts > 0 { compare("HLTs", counters[.halt], expected.halts) }
    let answers =
      [ExitCounters.Kind.portOut, .readMSR, .writeMSR] + (expected.stores > 0 ? [.mmioWrite] : [])
      + (expected.halts > 0 ? [.halt] : [])
    // The counts may come from a file, so sums wrap.
    let others = counters.total &- answers.reduce(0) { $0 &+ counters[$1] }
    if others != 0 { contradictions.append("\(others) exits of other kinds than this guest makes") }
    if completed { compare("kernel entries that the guest counted", mailbox.kernelEntries, iterations) }
    if let kvmExits, kvmExits < counters.total {
      contradictions.append("KVM counted \(kvmExits) exits, fewer than the \(counters.total) that reached the VMM")
    }
    if completed && samples.count != experiment.iterationsPerSample.count {
      contradictions.append("\(samples.count) of \(experiment.iterationsPerSample.count) samples were taken")
    }
    // Where VMX's mask keeps it on, KVM reads the guest's own value of a register that is not intercepted.
    let isIntercepted = interceptsSubject == .always || (interceptsSubject == .atTimes && tally["openAtEnd"] != 1)
    if protection.level == .always, isIntercepted,
      (subjectAtEnd.register ?? 0) & SpecCtrl.ibrs.rawValue == 0
    {
      let end = subjectAtEnd.register.map { "holds \(SpecCtrl(rawValue: $0))" } ?? "cannot be read"
      contradictions.append("IBRS was to be kept on, and \(experiment.msr) \(end) at the end")
    }
    guard contradictions.isEmpty else { throw .contradiction(contradictions) }
  }

  /// How often a policy opened the register, by its tally.
  private var opens: UInt64 { tally["opens"] ?? 0 }

  /// Contradictions in the tally of a policy that opens and closes the register.
  ///
  /// It starts closed, opens and closes in turn, and opens only after an access.
  private func contradictionsOfTally(accesses: ExitCounters.MSRCount?) -> [String] {
    let closes = tally["closes"] ?? 0
    let openAtEnd = tally["openAtEnd"] ?? 0
    let seen = (accesses?.reads ?? 0) &+ (accesses?.writes ?? 0)
    var contradictions: [String] = []
    if openAtEnd > 1 || opens != closes &+ openAtEnd {
      contradictions.append(
        "the policy opened the register \(opens) times, closed it \(closes) times, and reports that at the end it is "
          + (openAtEnd == 0 ? "closed" : "open"))
    }
    if opens > seen {
      contradictions.append("the policy opened the register \(opens) times and saw \(seen) accesses")
    }
    return contradictions
  }
}
