// `spectrap run`: one guest under one policy.

import ArgumentParser
import Experiments
import GuestImages
import Hypervisor
import Measurement
import Migration
import Rendering
import SystemPackage

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs a guest under a policy, counts every exit and measures the time.",
    discussion: Help.text(
      """
      The guest enters its kernel ITERATIONS times in all, spread over SAMPLES samples; each sample is timed by the \
      guest itself. Exits are counted by the VMM, by KVM, and by what the guest was built to do. If the three \
      contradict each other, there is no result.
      """,
      examples: [
        "spectrap run ibrs --policy emulate",
        "spectrap run ibrs --writes-per-entry 4 --exits-per-entry 1 --trace",
      ], more: "README.md and docs/guest-abi.md"))

  @Argument(help: .names(of: Workload.Name.self, "The workload."), transform: Workload.Name.argument)
  var workload: Workload.Name?

  @Option(
    help: ArgumentHelp(
      "Run your own guest instead: a static ELF file that follows docs/guest-abi.md.", valueName: "file"),
    transform: FilePath.argument)
  var image: FilePath?

  @OptionGroup var parameters: ParameterOptions

  @Option(
    help: .names(of: Entry.self, "How user mode reaches the kernel; the default is the best that works on this host."),
    transform: Entry.argument)
  var entry: Entry?

  @Option(help: .names(of: PolicyName.self, "Who owns the MSR."), transform: PolicyName.argument)
  var policy: PolicyName = .emulate

  @Option(
    help: ArgumentHelp(
      "Show the guest only what the contract in this file allows (see `contract --output`).", valueName: "file"),
    transform: FilePath.argument)
  var contract: FilePath?

  @Flag(help: "Let the policy adaptive open the register even if that gives up the protection of IBRS_ALL.")
  var acceptUnprotected = false

  @Option(help: "Kernel entries in all (default: 1000; 1 for the workload probe).", transform: whole(1...Int.max))
  var iterations: Int?

  @Option(
    help: "Timed samples, which share the iterations (default: 20, or fewer for fewer iterations).",
    transform: whole(1...SampleRecord.maximumCount))
  var samples: Int?

  @Option(
    help: ArgumentHelp(
      "The MSR that policy and guest are about (the guest ibpb always uses IA32_PRED_CMD).", valueName: "name|0xN"),
    transform: MSR.argument)
  var msr: MSR = .specCtrl

  @Option(
    help: ArgumentHelp("Stop after this many seconds; 0 for no limit.", valueName: "seconds"),
    transform: Self.timeLimits)
  var timeLimit = 60.0

  @Flag(help: "Print each exit as it happens, one line each, on standard error.")
  var trace = false

  @Flag(help: "Time every KVM_RUN with the host's clock, in a histogram for each kind of exit.")
  var histogram = false

  @Flag(help: .exitReasons)
  var traceKvm = false

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Pause after this many iterations, or at SIGUSR1, and write the guest to a file (see `resume`).",
      valueName: "iterations|signal> <file"))
  var snapshotAt: [String] = []

  @Option(
    help: ArgumentHelp("Listen on this socket for `spectrap migrate`, which moves the guest.", valueName: "unix:path"))
  var migratable: String?

  @Flag(help: "Print JSON (docs/json.md).")
  var json = false

  @Option(
    help: ArgumentHelp(
      "Write the run's counts and figures as OpenMetrics, for a collector of text files; - is standard output.",
      valueName: "file"),
    transform: FilePath.argument)
  var openmetrics: FilePath?

  @OptionGroup var identity: IdentityOptions
  @OptionGroup var kvm: KVMOptions

  func validate() throws {
    switch (workload, image) {
    case (let workload?, nil): try parameters.validate(for: workload)
    case (nil, _?):
      guard entry == nil, parameters.chosen.isEmpty, snapshotAt.isEmpty, migratable == nil else {
        throw ValidationError(
          "--image has its own entry and code, and can neither be paused nor moved: leave out --entry, the parameters "
            + "of workloads, --snapshot-at and --migratable")
      }
    case (nil, nil):
      throw ValidationError("give a workload (\(Workload.Name.names.joined(separator: ", "))), or --image FILE")
    case (_?, _?): throw ValidationError("--image is a guest of your own: leave out the workload")
    }
    if acceptUnprotected && policy != .adaptive {
      throw ValidationError("--accept-unprotected is for the policy adaptive")
    }
    if trace && histogram {
      throw ValidationError("--trace and --histogram exclude each other: every time would include the printing")
    }
    if traceKvm && histogram {
      throw ValidationError("--trace-kvm and --histogram exclude each other: every time would include the counting")
    }
    if try snapshotOrder != nil || trace || histogram || traceKvm, migratable != nil {
      throw ValidationError("--migratable excludes --snapshot-at, --trace, --trace-kvm and --histogram")
    }
    if openmetrics != nil, migratable != nil {
      throw ValidationError("--openmetrics needs a run that ends in this process: leave out --migratable")
    }
    if json, openmetrics == "-" { throw ValidationError("--json and --openmetrics - both take standard output") }
    if let path = try snapshotOrder?.path,
      let (first, second) = ResultFile.clash(of: [("--snapshot-at", path), ("--openmetrics", openmetrics)])
    {
      throw ValidationError("\(first) and \(second) name the same file; give each a file of its own")
    }
    _ = try migratable.map(UnixPath.init)
  }

  /// The time limits of a guest in seconds; 0 for no limit.
  static let timeLimits = number(0...1e9, "seconds")

  func run() throws {
    try Failure.reporting {
      let image = try image.map { try GuestImage(file: $0) }
      let workload =
        image?.workload
        ?? self.workload.map {
          Workload($0, msr: $0.ownMSR ?? msr, choosing: parameters.chosen)
        }
      guard let workload else { throw ValidationError("give a workload, or --image FILE") }
      let iterations = iterations ?? (workload.name == .probe ? 1 : 1000)
      let samples = samples ?? max(1, min(20, iterations))
      func experiment(_ entry: Entry) throws -> Experiment {
        if let image {
          return try Experiment(running: image, policy: policy, msr: msr, iterations: iterations, samples: samples)
        }
        return try Experiment(
          running: workload, entry: entry, policy: policy, msr: msr, iterations: iterations, samples: samples)
      }
      let possible = workload.entries
      if let entry, !possible.contains(entry) { throw GuestImageError.noSuchEntry(workload, entry) }
      // Invalid numbers are reported before KVM is used.
      var draft = try experiment(possible[0])
      if let pause = try snapshotOrder?.iterations { try draft.pause(after: pause) }

      let snapshot = try snapshotOrder
      // The file holds the guest's memory, so only its owner may read it.
      let file = try snapshot.map { try ResultFile($0.path, reserving: 256 << 10, permissions: .ownerReadWrite) }

      let metricsFile = try openmetrics.map { try ResultFile($0) }

      // Before the proofs, because a signal may come during them.
      let control = RunControl(timeLimit: timeLimit == 0 ? nil : .seconds(timeLimit))
      try Interrupt.cancels(control, pausing: snapshot?.iterations == nil && snapshot != nil)

      let pool = try contract.map(PoolContract.read)
      let exitReasons = traceKvm ? try ExitReasonTrace() : nil
      let kvm = try kvm.open()
      var terms = try Terms.prove(msr, on: kvm, acceptsUnprotected: acceptUnprotected)
      _ = try policy.protection(on: terms)
      terms = try terms.proved(for: workload, on: kvm)
      if let reason = workload.refusal(on: terms) {
        throw ExperimentError.workloadRefused(workload.name, reason)
      }
      let (entry, choice) = try chooseEntry(image?.entry ?? entry, of: possible, on: kvm)
      var experiment = try experiment(entry)
      experiment.exitReasonTrace = exitReasons
      if let pool {
        let offer = try HostOffer.prove(on: kvm, abilities: terms.abilities)
        experiment.contract = try pool.guestContract(on: kvm, offering: offer, under: policy)
      }

      if let pause = snapshot?.iterations { try experiment.pause(after: pause) }

      let host = HostDescription(json: json, identity)
      if let migratable {
        return try runMovable(experiment, on: kvm, terms, at: UnixPath(migratable), entryChoice: choice, host, control)
      }
      let record = try experiment.run(
        on: kvm, terms: terms, observing: observation(under: control), control: control)
      // The counts are printed even if the snapshot cannot be written.
      let written = Result { if let guest = record.snapshot { try file?.write(try guest.encoded()) } }
      try metricsFile?.write(
        RunReport(record, identity: identity.begin(), host: nil, entryChoice: choice).openMetrics)
      try Self.show(record, entryChoice: choice, on: host)
      try written.get()
      try Self.checkCompletion(of: record.stopped, after: timeLimit)
      if let path = snapshot?.path, record.snapshot == nil {
        throw Failure(status: .software, message: "the guest ended before it was paused; \(path) was not written")
      }
    }
  }

  /// Runs a guest that may be moved to another process.
  private func runMovable(
    _ experiment: Experiment, on kvm: borrowing KVM, _ terms: Terms, at address: UnixPath,
    entryChoice: String, _ host: HostDescription, _ control: RunControl
  ) throws {
    let desk = try MoveDesk(at: address.path, pausing: control)
    defer { desk.close() }
    switch try experiment.run(on: kvm, terms: terms, movingAt: desk, control: control) {
    case .moved(let report): try report.show(json: json, awaitingCommandUnless: { control.isCancelled })
    case .stayed(let record, _):
      try Self.show(record, entryChoice: entryChoice, on: host)
      try Self.checkCompletion(of: record.stopped, after: timeLimit)
    }
  }

  /// Prints the result with a description of the host that was made before.
  ///
  /// - Throws: `Failure` when standard output does not take it.
  static func show(_ record: RunRecord, entryChoice: String, on host: HostDescription) throws {
    switch host {
    case .report(let host, let identity):
      try Output.json(RunReport(record, identity: identity, host: host, entryChoice: entryChoice))
    case .summary(let summary):
      try Output.document(RunReport(record, host: nil, entryChoice: entryChoice).document(on: summary))
    }
  }

  /// When to pause the guest (nil: at the signal), and the file to write.
  private var snapshotOrder: (iterations: Int?, path: FilePath)? {
    get throws {
      if snapshotAt.isEmpty { return nil }
      guard snapshotAt.count == 2 else {
        throw ValidationError("--snapshot-at takes two values: a number of iterations or \"signal\", and a file")
      }
      let path = try FilePath.argument(snapshotAt[1])
      if snapshotAt[0] == "signal" { return (nil, path) }
      guard let iterations = Int(snapshotAt[0]), iterations >= 0 else {
        throw ValidationError("--snapshot-at \(snapshotAt[0]): give a number of iterations from 0 on, or \"signal\"")
      }
      return (iterations, path)
    }
  }

  private func observation(under control: RunControl) -> Observation {
    if trace { return .trace { Output.trace($0) { control.isDue } } }
    return histogram ? .roundTrips : .nothing
  }

  /// Returns the requested entry, proved to work, or the best entry that works here, and the reason for the choice.
  private func chooseEntry(
    _ entry: Entry?, of possible: [Entry], on kvm: borrowing KVM
  ) throws -> (Entry, String) {
    if let entry {
      let choice = image == nil ? "as asked for" : "the image's own"
      guard entry != .none else { return (entry, choice) }
      let proof = try EntryProof.prove(entry, on: kvm).made()
      guard proof.works else {
        throw Failure(
          status: .unavailable,
          message: "entry \(entry.rawValue) does not work on this host: \(proof.seen); "
            + "`spectrap list` shows those that do")
      }
      return (entry, choice)
    }
    let switching = possible.filter { $0 != .none }
    guard !switching.isEmpty else { return (.none, "the only one of this workload") }
    return (try EntryProof.proveBest(of: switching, on: kvm).entry, "the best that works on this host")
  }

  static func checkCompletion(of stopped: RunControl.Stop?, after timeLimit: Double) throws {
    switch stopped {
    case nil, .paused: return
    case .timeLimit:
      throw Failure(
        status: .timedOut,
        message: "the guest was stopped after \(timeLimit) s; the counts above are partial (see --time-limit)")
    case .cancelled:
      throw Failure(status: .interrupted, message: "the guest was stopped on request; the counts above are partial")
    }
  }
}
