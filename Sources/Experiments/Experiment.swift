// An experiment makes a machine from a guest image and a policy, and runs it to a record.

public import GuestImages
public import Hypervisor
import Measurement

/// One guest under one policy.
public struct Experiment: Sendable {
  public var workload: Workload
  public var entry: Entry
  public var policy: PolicyName
  /// The MSR of the policy, and of the workload unless it has its own.
  public var msr: MSR
  /// Counts the guest's exits by KVM's reasons for them; nil where that was not asked for.
  ///
  /// It was begun on the thread that runs the guest.
  public var exitReasonTrace: ExitReasonTrace?
  /// What the guest is told; nil for the policy's contract on this host.
  public var contract: GuestContract?
  /// The image that runs, where it was given; nil for the one that is made of workload and entry.
  public let image: GuestImage?
  /// How many iterations each sample has.
  public var iterationsPerSample: [UInt32]
  /// The sample before which the guest pauses for a snapshot; nil for none.
  public internal(set) var pause: Int?
  /// Whether the user accepted on an earlier host that the policy gives up a protection.
  public internal(set) var acceptsUnprotected = false

  /// An experiment with a workload's default parameters.
  ///
  /// - Throws: What the other initialiser does.
  public init(
    _ workload: Workload.Name, entry: Entry, policy: PolicyName, msr: MSR = .specCtrl, iterations: Int, samples: Int
  ) throws(ExperimentError) {
    try self.init(
      running: Workload(workload, msr: workload.ownMSR ?? msr), entry: entry, policy: policy, msr: msr,
      iterations: iterations, samples: samples)
  }

  /// An experiment of `iterations` iterations in all, spread evenly over `samples` samples.
  ///
  /// - Throws: `ExperimentError.sampleCount` or `iterationCount` when a sample would have no iteration, or when there
  ///   are too many.
  public init(
    running workload: Workload, entry: Entry, policy: PolicyName, msr: MSR = .specCtrl, iterations: Int, samples: Int
  ) throws(ExperimentError) {
    self.workload = workload
    self.entry = entry
    self.policy = policy
    self.msr = msr
    image = nil
    iterationsPerSample = try Self.spread(iterations, over: samples)
  }

  /// An experiment with an image that follows the ABI, whoever made it; it is held to what its workload promises.
  ///
  /// - Throws: What the other initialisers do.
  public init(
    running image: GuestImage, policy: PolicyName, msr: MSR = .specCtrl, iterations: Int, samples: Int
  ) throws(ExperimentError) {
    workload = image.workload
    entry = image.entry
    self.policy = policy
    self.msr = msr
    self.image = image
    iterationsPerSample = try Self.spread(iterations, over: samples)
  }

  /// The image that runs.
  ///
  /// - Throws: What making one of workload and entry throws.
  func makeImage() throws -> GuestImage { try image ?? GuestImage(workload, entry: entry) }

  /// Makes the guest pause after `iterations` iterations, where a sample ends.
  ///
  /// - Throws: `ExperimentError.pause` when it has fewer iterations, or too few samples; `ExperimentError.imageStays`.
  public mutating func pause(after iterations: Int) throws(ExperimentError) {
    guard image == nil else { throw .imageStays }
    let (total, samples) = (iterationsPerSample.reduce(0) { $0 + Int($1) }, iterationsPerSample.count)
    guard iterations >= 0, iterations < total, samples >= 2 || iterations == 0 else {
      throw .pause(after: iterations, of: total, samples: samples)
    }
    guard iterations > 0 else {
      pause = 0
      return
    }
    // The samples are divided in proportion to the iterations, with at least one on either side of the pause.
    let share = Int((Double(samples) * Double(iterations) / Double(total)).rounded())
    let before = max(1, samples - (total - iterations), min(share, samples - 1, iterations))
    iterationsPerSample =
      try Self.spread(iterations, over: before) + Self.spread(total - iterations, over: samples - before)
    pause = before
  }

  /// Spreads iterations over samples, the larger ones first.
  static func spread(_ iterations: Int, over samples: Int) throws(ExperimentError) -> [UInt32] {
    guard samples >= 1, samples <= SampleRecord.maximumCount else { throw .sampleCount(samples) }
    guard iterations >= samples, iterations / samples < Int(UInt32.max) else {
      throw .iterationCount(iterations, samples: samples)
    }
    let (each, more) = iterations.quotientAndRemainder(dividingBy: samples)
    return (0..<samples).map { UInt32($0 < more ? each + 1 : each) }
  }

  /// Runs the experiment.
  ///
  /// - Throws: `PolicyError.refused` when this host cannot honour the policy; `ExperimentError.workloadRefused` when
  ///   its guests cannot run the workload; `RunError` when the guest or KVM fails; `ExperimentError` when the guest
  ///   faults or the witnesses contradict each other; and what making a machine throws.
  public func run(
    on kvm: borrowing KVM, observing observation: Observation = .nothing, control: RunControl = RunControl()
  ) throws -> RunRecord {
    try run(
      on: kvm, terms: try .prove(msr, on: kvm), observing: observation, control: control)
  }

  /// Runs the experiment on these terms.
  public func run(
    on kvm: borrowing KVM, terms: Terms, observing observation: Observation = .nothing,
    control: RunControl = RunControl()
  ) throws -> RunRecord {
    // The image comes first: it rejects impossible combinations before anything runs.
    let image = try makeImage()
    try check(on: kvm, terms: terms)
    return try finish(.image(image), on: kvm, terms: terms, observing: observation, control: control)
  }

  /// Checks that this host can honour the policy, and that its guests can run the workload.
  ///
  /// - Throws: `PolicyError.refused` or `ExperimentError.workloadRefused` when they cannot; and what proving throws.
  func check(on kvm: borrowing KVM, terms: Terms) throws {
    _ = try policy.protection(on: terms)
    if let reason = try workload.refusal(on: terms.proved(for: workload, on: kvm)) {
      throw ExperimentError.workloadRefused(workload.name, reason)
    }
  }

  /// Runs a guest here until it is done or stopped, and warns about memory that could not be freed afterwards.
  func finish(
    _ start: ExperimentStart, on kvm: borrowing KVM, terms: Terms, observing observation: Observation,
    control: RunControl, beforeEntry: () throws -> Void = {}
  ) throws -> RunRecord {
    let keptBefore = VirtualMachine.keptMemory.count
    var record = try finished(
      start, on: kvm, terms: terms, observing: observation, control: control, beforeEntry: beforeEntry)
    let kept = Array(VirtualMachine.keptMemory.dropFirst(keptBefore))
    if let warning = VirtualMachine.KeptMemory.warning(of: kept) { record.warnings.append(warning) }
    return record
  }

  /// The same without the warning; the machine is gone when this returns.
  private func finished(
    _ start: ExperimentStart, on kvm: borrowing KVM, terms: Terms, observing observation: Observation,
    control: RunControl, beforeEntry: () throws -> Void
  ) throws -> RunRecord {
    let session = try open(start, on: kvm, terms: terms)
    try beforeEntry()
    let stopped = try session.run(observation, control)
    let snapshot = stopped == .paused ? try session.snapshot(kvm, HostReport.summary()) : nil
    return try session.record(stopped, snapshot)
  }
}
