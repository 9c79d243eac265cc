// `spectrap run`: one guest under one policy.

import ArgumentParser
import Experiments
import GuestImages
import Hypervisor
import Measurement

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs a guest under a policy; counts every exit and takes the time.",
    discussion: """
      The guest enters its kernel ITERATIONS times in all, spread over SAMPLES samples; each sample is timed by the \
      guest itself. Exits are counted by the VMM, by KVM, and by what the guest was built to do: where the three \
      contradict each other, there is no result.
      """)

  @Argument(help: "The workload.")
  var workload: Workload.Name

  @Option(help: "Writes of the MSR at each kernel entry, for the workload ibrs (default: 2).")
  var writesPerEntry: Int?

  @Option(help: "Exits (OUT) at each kernel entry, for the workload ibrs (default: 0).")
  var exitsPerEntry: Int?

  @Option(help: "Kernel entries in each phase, for the workload phases (default: 100).")
  var phaseLength: Int?

  @Option(help: "How user mode reaches the kernel; the default is the best that works on this host.")
  var entry: Entry?

  @Option(help: "Who owns the MSR.")
  var policy: PolicyName = .emulate

  @Flag(help: "Let the policy adaptive open the register where that gives up the protection of IBRS_ALL.")
  var acceptUnprotected = false

  @Option(help: "Kernel entries in all (default: 1000; 1 for the workload probe).")
  var iterations: Int?

  @Option(help: "Timed samples that they are spread over (default: 20, or fewer for fewer iterations).")
  var samples: Int?

  @Option(
    help: ArgumentHelp(
      "The MSR that policy and guest are about (the guest ibpb is about IA32_PRED_CMD).", valueName: "name|0xN"),
    transform: MSR.argument)
  var msr: MSR = .specCtrl

  @Option(help: ArgumentHelp("Stop after this many seconds; 0 for no limit.", valueName: "seconds"))
  var timeLimit = 60.0

  @Flag(help: "Print each exit as it happens, one line each, on standard error.")
  var trace = false

  @Flag(help: "Time every KVM_RUN with the host's clock, in a histogram for each kind of exit.")
  var histogram = false

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @OptionGroup var kvm: KVMOptions

  /// More would be no kernel entry any more.
  private static let perEntryLimit = 1000
  private static let phaseLimit = Int(Int32.max)

  func validate() throws {
    guard timeLimit >= 0, timeLimit <= 1e9 else {
      throw ValidationError("--time-limit takes from 0 (no limit) to 1000000000 seconds")
    }
    if (writesPerEntry ?? exitsPerEntry) != nil, workload != .ibrs {
      throw ValidationError("--writes-per-entry and --exits-per-entry are for the workload ibrs")
    }
    guard [writesPerEntry, exitsPerEntry].allSatisfy({ (0...Self.perEntryLimit).contains($0 ?? 0) }) else {
      throw ValidationError("--writes-per-entry and --exits-per-entry take from 0 to \(Self.perEntryLimit)")
    }
    if phaseLength != nil, workload != .phases { throw ValidationError("--phase-length is for the workload phases") }
    guard (1...Self.phaseLimit).contains(phaseLength ?? 1) else {
      throw ValidationError("--phase-length takes from 1 to \(Self.phaseLimit)")
    }
    if acceptUnprotected && policy != .adaptive {
      throw ValidationError("--accept-unprotected is for the policy adaptive")
    }
    if trace && histogram {
      throw ValidationError("--trace and --histogram exclude each other: printing would be in every time")
    }
  }

  func run() throws {
    try Failure.reporting {
      let workload = chosenWorkload
      let possible = workload.entries
      if let entry, !possible.contains(entry) { throw GuestImageError.noSuchEntry(workload, entry) }
      let iterations = iterations ?? (workload.name == .probe ? 1 : 1000)
      let samples = samples ?? max(1, min(20, iterations))
      // Numbers that make no sense are said before KVM is touched.
      _ = try Experiment(
        running: workload, entry: possible[0], policy: policy, msr: msr, iterations: iterations, samples: samples)

      let kvm = try kvm.open()
      var abilities = try HostAbilities(provedOn: kvm, subject: msr)
      abilities.acceptsUnprotected = acceptUnprotected
      _ = try policy.protection(on: abilities)
      if let reason = try workload.refusal(under: msr, on: kvm) {
        throw ExperimentError.workloadRefused(workload.name, reason)
      }
      let (entry, choice) = try chooseEntry(of: possible, on: kvm)
      let experiment = try Experiment(
        running: workload, entry: entry, policy: policy, msr: msr, iterations: iterations, samples: samples)

      let control = RunControl(timeLimit: timeLimit == 0 ? nil : .seconds(timeLimit))
      Interrupt.cancels(control)
      let record = try experiment.run(on: kvm, abilities: abilities, observing: observation, control: control)
      if json {
        try Output.json(RunReport(record, host: HostReport(), entryChoice: choice))
      } else {
        let report = RunReport(record, host: nil, entryChoice: choice)
        try Output.result(report.text(on: HostReport.headline()))
      }
      try Self.complain(of: record.stopped, after: timeLimit)
    }
  }

  private var chosenWorkload: Workload {
    switch workload {
    case .ibrs: .ibrs(msr.rawValue, writes: writesPerEntry ?? 2, exits: exitsPerEntry ?? 0)
    case .phases: phaseLength.map { .phases(msr.rawValue, length: $0) } ?? Workload(.phases, msr: msr.rawValue)
    default: Workload(workload, msr: workload.ownMSR ?? msr.rawValue)
    }
  }

  private var observation: Observation {
    if trace { .trace { Output.error($0) } } else if histogram { .roundTrips } else { .nothing }
  }

  /// The entry that was asked for, proved; or the best that works here.
  private func chooseEntry(of possible: [Entry], on kvm: borrowing KVM) throws -> (Entry, String) {
    if let entry {
      guard entry != .none else { return (entry, "as asked for") }
      let proof = try EntryProof(of: entry, on: kvm)
      guard proof.works else {
        throw Failure(
          status: .unavailable,
          message: "entry \(entry.rawValue) does not work on this host: \(proof.seen); "
            + "`spectrap list` shows those that do")
      }
      return (entry, "as asked for")
    }
    let switching = possible.filter { $0 != .none }
    guard !switching.isEmpty else { return (.none, "the only one of this workload") }
    return (try EntryProof.best(of: switching, on: kvm).entry, "the best that works on this host")
  }

  private static func complain(of stopped: RunControl.Stop?, after timeLimit: Double) throws {
    switch stopped {
    case nil: return
    case .timeLimit:
      throw Failure(
        status: .timedOut,
        message: "the guest was stopped after \(timeLimit) s; the counts above are partial (see --time-limit)")
    case .cancelled:
      throw Failure(status: .interrupted, message: "the guest was stopped on request; the counts above are partial")
    }
  }
}
