// Runs a benchmark: the cells in random order, in rounds, until every ratio is precise enough, the time is up, or the
// requested rounds are done.

public import Hypervisor
public import Measurement
public import SystemPackage

/// The options of a benchmark.
public struct BenchOptions: Sendable {
  public var selection = BenchSelection()
  /// A Linux kernel that is measured under the same policies; nil for none.
  public var kernel: KernelOrder?
  /// The widest interval of a ratio that is precise enough, as a share of the ratio.
  public var precision = 0.02
  /// The time budget, proofs and planning included.
  public var time = Duration.seconds(30)
  /// The number of rounds to measure; nil to stop by `time` and `precision`.
  public var rounds: Int?
  /// The time over which a given number of rounds is spread at least, so that they show more than one moment of the
  /// machine; nil for `usualSpread`.
  public var spread: Duration?
  /// Whether each cell's exits are counted by KVM's reasons for them, in runs of their own.
  public var tracesExits = false
  public var seed: UInt64 = 1
  /// The processor for the vCPU's thread; nil for the last that this process may use.
  public var cpu: Int?
  public var path: FilePath = KVM.defaultPath
  /// The host, the moment and the run, for the result.
  public var identity: ResultIdentity?
  public var version = ""
  /// Results of this host with kvm-intel in other modes of switching SPEC_CTRL, beside which C4 and C5 are judged.
  public var otherModes: [BenchReport] = []

  /// The defaults: 2 %, 30 seconds, every cell.
  public init() {}

  /// The time over which rounds are spread that are enough for an interval.
  public static let usualSpread = Duration.seconds(20)

  /// The time over which the rounds are spread.
  ///
  /// Rounds that follow each other at once resemble each other. Where time decides they fill it; where the clock counts
  /// instructions, moments are alike; fewer than `RatioEstimate.fewestRounds` give no reliable interval anyway.
  func span(countsInstructions: Bool) -> Duration {
    guard let rounds, !countsInstructions else { return .zero }
    return spread ?? (rounds >= RatioEstimate.fewestRounds ? Self.usualSpread : .zero)
  }
}

/// A running benchmark.
public struct Bench: ~Copyable {
  private let options: BenchOptions
  private let kvm: KVM
  private var meters: [CellMeter]
  private var kernels: [KernelMeter]
  private let cpu: Int?
  private let allowedCPUs: [Int]
  private let host: HostReport
  private let sampling: Sampling
  /// Begun before anything is measured, because a host may lack it; nil if exits are not counted by reason.
  private let trace: ExitReasonTrace?
  /// The start of the time budget, which proofs and planning are part of.
  private let start: ContinuousClock.Instant

  /// The time limit of one run of a guest; a cell that exceeds it has failed.
  private static let cellLimit = Duration.seconds(10)
  /// How often a wait for the next round looks whether it is cancelled.
  private static let period = Duration.milliseconds(10)
  /// The time limit for a neighbour's first write.
  private static let neighbourLimit = Duration.seconds(5)

  /// Pins this thread, proves what the host can do, and plans the cells.
  ///
  /// - Throws: `KVMError`, `ExperimentError` and what the proofs throw; `Errno` when the processor cannot be used.
  public init(_ options: BenchOptions) throws {
    try self.init(options) { kvm, proofs, canPlaceNeighbours in
      try BenchPlan(options.selection, by: proofs, on: kvm, canPlaceNeighbours: canPlaceNeighbours).cells
    }
  }

  /// Measures the cells that `plan` returns.
  ///
  /// It receives the proofs, and whether there is a second processor.
  init(_ options: BenchOptions, planning plan: (borrowing KVM, HostProofs, Bool) throws -> [PlannedCell]) throws {
    start = .now
    let allowed = CPUAffinity.allowed
    let cpu = options.cpu ?? allowed.last
    if let cpu { try CPUAffinity.bind(to: cpu) }
    let trace = options.tracesExits ? try ExitReasonTrace() : nil
    let kvm = try KVM(path: options.path)
    let trials = try HostTrials.prove(on: kvm)
    let host = HostReport(offer: try KVMOffer(of: kvm), trials: trials)
    for other in options.otherModes {
      if let reason = other.refusal(beside: host) {
        throw ExperimentError.nothingToMeasure("a result of another mode cannot stand beside this host: \(reason)")
      }
    }
    let proofs = try trials.complete()
    let cells = try plan(kvm, proofs, allowed.count > 1)
    let kernels = try options.kernel?.plan(options.selection, by: proofs, on: kvm) ?? []
    let sampling = try Sampling(on: kvm, hertz: host.tsc.hertz)

    self.options = options
    self.kvm = kvm
    self.cpu = cpu
    self.host = host
    self.sampling = sampling
    self.trace = trace
    allowedCPUs = allowed
    meters = cells.map { CellMeter($0, sampling) }
    self.kernels = kernels.map(KernelMeter.init)
  }

  /// A unit of a round: a cell, or all cells of one kernel.
  private enum Unit {
    case cell(Int)
    case kernel(Int)
  }

  private var units: [Unit] { meters.indices.map(Unit.cell) + kernels.indices.map(Unit.kernel) }

  /// A control for `run`: it limits each run of a guest, and cancelling it ends the benchmark with partial results.
  public static func makeControl() -> RunControl { RunControl(timeLimit: cellLimit) }

  /// Measures until the precision is reached, the time or the rounds are used up, or `control` is cancelled.
  ///
  /// `progress` receives the share of the time, or of the rounds, that is used.
  ///
  /// - Throws: What reading the host throws.
  public mutating func run(control: RunControl, progress: (Double) -> Void) throws -> BenchReport {
    let before = HostLoad(of: cpu)
    var generator = SeededGenerator(seed: options.seed, stream: "order")
    var ended = options.rounds == nil ? BenchReport.Ending.time : .rounds
    var rounds = 0
    var nextCheck = start + options.time / 4
    let began = ContinuousClock.now
    measuring: while !isOver(after: rounds) {
      waitFor(round: rounds, since: began, control: control)
      for (done, unit) in units.shuffled(using: &generator).enumerated() {
        if control.isCancelled { break measuring }
        switch unit {
        case .cell(let index):
          // Each cell is calibrated in the first round, directly before its first samples.
          if !meters[index].isCalibrated { meters[index].calibrate(on: kvm, control: control) }
          try measure(index, control: control)
        case .kernel(let index): kernels[index].round(on: kvm, control: control)
        }
        progress(share(of: rounds, done + 1))
        // The first round is completed in any case, so that every cell has samples.
        if options.rounds == nil, rounds > 0, isOver(after: rounds) { break measuring }
      }
      rounds += 1
      if options.rounds == nil, rounds >= RatioEstimate.fewestRounds, ContinuousClock.now >= nextCheck {
        if record(ended: .time).reachesPrecision {
          ended = .precision
          break
        }
        nextCheck = .now + options.time / 8
      }
    }
    let untraced = countExits(control: control)
    if control.isCancelled { ended = .cancelled }

    let environment = BenchEnvironment(
      cpu: cpu, before: before, after: HostLoad(of: cpu), countsInstructions: sampling.countsInstructions,
      // This thread is pinned to that processor, so that CPUID describes it.
      processor: cpu.map { HostProcessor($0, cpuid: .ofThisProcess()) },
      neighbourProcessor: otherCPU.map { HostProcessor($0) })
    let kept = VirtualMachine.KeptMemory.warning(of: VirtualMachine.keptMemory)
    return BenchReport(
      record(
        ended: ended, environment: environment,
        warnings: environment.warnings(on: host) + [kept, untraced].compactMap { $0 }))
  }

  /// Waits until this round is due; the last one is due a little before the end of the span.
  private func waitFor(round: Int, since began: ContinuousClock.Instant, control: RunControl) {
    guard let count = options.rounds else { return }
    let due = began + options.span(countsInstructions: sampling.countsInstructions) * round / count
    while ContinuousClock.now < due, !control.isCancelled { Thread.sleep(for: Self.period) }
  }

  /// Counts each cell's exits by their reasons, where that was asked for; returns why it could not.
  private mutating func countExits(control: RunControl) -> String? {
    guard let trace, !control.isCancelled else { return nil }
    do {
      for index in meters.indices where !control.isCancelled {
        try meters[index].countExits(by: trace, on: kvm, control: control)
      }
      return nil
    } catch { return "\(error)" }
  }

  /// The record of what was measured so far.
  private func record(
    ended: BenchReport.Ending, environment: BenchEnvironment = BenchEnvironment(), warnings: [String] = []
  ) -> BenchRecord {
    let isTimed = options.rounds == nil
    var record = BenchRecord(
      identity: options.identity, version: options.version, ended: ended, seed: options.seed,
      precision: isTimed ? options.precision : nil,
      timeBudget: isTimed ? Double(options.time / .milliseconds(1)) / 1000 : nil, roundBudget: options.rounds,
      elapsed: Double((.now - start) / .milliseconds(1)) / 1000, host: host,
      msr: BenchReport.Subject(options.selection.msr), environment: environment, warnings: warnings,
      // Samples that are differences do not contain the clock's own cost.
      clock: BenchReport.Clock(
        overheadCycles: sampling.fixedCost ?? 0, hertz: host.tsc.hertz, doubt: sampling.doubt),
      cells: meters.map { meter in
        meter.record(against: meters.first { $0.plan.cell.id == meter.plan.cell.baseline })
      } + kernels.flatMap(\.records))
    record.otherModes = options.otherModes.map(\.record)
    return record
  }

  /// The processor for neighbours on another processor; nil if no cell needs it or there is none.
  private var otherCPU: Int? {
    guard meters.contains(where: { $0.plan.neighbour == .otherCPU && $0.plan.experiment != nil }) else { return nil }
    return allowedCPUs.last { $0 != cpu }
  }

  /// Whether the benchmark is complete after these rounds.
  private func isOver(after rounds: Int) -> Bool {
    options.rounds.map { rounds >= $0 } ?? (rounds > 0 && .now >= start + options.time)
  }

  /// The share that is done after these rounds and these units of the next one.
  private func share(of rounds: Int, _ cells: Int) -> Double {
    min(
      1,
      options.rounds.map { Double(rounds * units.count + cells) / Double($0 * units.count) }
        ?? (ContinuousClock.now - start) / options.time)
  }

  /// Measures one round of a cell, beside its neighbour if it has one.
  private mutating func measure(_ index: Int, control: RunControl) throws {
    guard meters[index].isActive else { return }
    let plan = meters[index].plan
    guard let place = plan.neighbour, let experiment = plan.experiment else {
      meters[index].round(on: kvm, control: control)
      return
    }
    guard let other = place == .sameCPU ? cpu : otherCPU else {
      meters[index].fail(.failed, "there is no processor for its neighbour")
      return
    }
    let neighbour = try Neighbour(on: other, beside: experiment, terms: plan.terms, path: options.path)
    if let reason = neighbour.awaitWriting(within: Self.neighbourLimit) {
      meters[index].fail(.failed, reason)
    } else {
      meters[index].round(on: kvm, control: control, neighbourWrites: neighbour.writes)
    }
    neighbour.stop()
  }
}
