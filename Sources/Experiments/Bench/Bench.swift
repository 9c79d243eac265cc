// The benchmark: cells in random order, round after round, until every ratio is known well enough or the time is up, or
// for so many rounds.

public import Hypervisor
public import Measurement
public import SystemPackage

/// How a benchmark is to be run.
public struct BenchOptions: Sendable {
  public var selection = BenchSelection()
  /// A Linux kernel that is measured under the same policies; nil for none.
  public var kernel: KernelOrder?
  /// The widest interval of a ratio that is good enough, as a share of the ratio.
  public var precision = 0.02
  /// How long it may take.
  public var time = Duration.seconds(30)
  /// How many rounds to measure, whatever they take and whatever is known by then; nil for `time` and `precision`.
  public var rounds: Int?
  public var seed: UInt64 = 1
  /// The processor for the vCPU's thread; nil for the last that this process may use.
  public var cpu: Int?
  public var path: FilePath = KVM.defaultPath
  public var version = ""

  /// Two per cent, half a minute, everything.
  public init() {}
}

/// A benchmark under way.
public struct Bench: ~Copyable {
  private let options: BenchOptions
  private let kvm: KVM
  private var meters: [CellMeter]
  private var kernels: [KernelMeter]
  private let cpu: Int?
  private let allowedCPUs: [Int]
  private let host: HostReport
  private let sampling: Sampling
  /// Proofs and planning are part of the time that was asked for.
  private let start: ContinuousClock.Instant

  /// How long one run of one guest may take before its cell is given up.
  private static let cellLimit = Duration.seconds(10)
  /// How long a neighbour may take until it writes.
  private static let neighbourLimit = Duration.seconds(5)

  /// Binds this thread, proves what the host can do, and plans.
  ///
  /// - Throws: `KVMError`, `ExperimentError` and what the proofs throw; `Errno` when the processor cannot be used.
  public init(_ options: BenchOptions) throws {
    try self.init(options) { kvm, proofs, canPlaceNeighbours in
      try BenchPlan(options.selection, by: proofs, on: kvm, canPlaceNeighbours: canPlaceNeighbours).cells
    }
  }

  /// Measures the cells that `plan` gives, which is told what was proved, and whether there is a second processor.
  init(_ options: BenchOptions, planning plan: (borrowing KVM, HostProofs, Bool) throws -> [PlannedCell]) throws {
    start = .now
    let allowed = CPUAffinity.allowed
    let cpu = options.cpu ?? allowed.last
    if let cpu { try CPUAffinity.bind(to: cpu) }
    let kvm = try KVM(path: options.path)
    var host = HostReport()
    try host.addOffer(of: kvm)
    let proofs = try host.addProofs(on: kvm)
    let cells = try plan(kvm, proofs, allowed.count > 1)
    let kernels = try options.kernel?.plan(options.selection, by: proofs, on: kvm) ?? []
    let sampling = try Sampling(on: kvm, hertz: host.tsc.hertz)

    self.options = options
    self.kvm = kvm
    self.cpu = cpu
    self.host = host
    self.sampling = sampling
    allowedCPUs = allowed
    meters = cells.map { CellMeter($0, sampling) }
    self.kernels = kernels.map(KernelMeter.init)
  }

  /// What is measured in one go in each round: a cell, or all cells of a kernel's guest.
  private enum Unit {
    case cell(Int)
    case kernel(Int)
  }

  private var units: [Unit] { meters.indices.map(Unit.cell) + kernels.indices.map(Unit.kernel) }

  /// A control for `run`: each run of a guest has a time limit, and a cancel ends the benchmark with what it has.
  public static func makeControl() -> RunControl { RunControl(timeLimit: cellLimit) }

  /// Measures until the precision is reached or the time is up, or so many rounds, or until `control` is cancelled.
  ///
  /// `progress` is told the share of the time, or of the rounds, that is used.
  ///
  /// - Throws: What reading the host throws.
  public mutating func run(control: RunControl, progress: (Double) -> Void) throws -> BenchReport {
    let before = HostLoad(of: cpu)
    var generator = SeededGenerator(seed: options.seed, stream: "order")
    var ended = options.rounds == nil ? BenchReport.Ending.time : .rounds
    var rounds = 0
    var nextCheck = start + options.time / 4
    measuring: while !isOver(after: rounds) {
      for (done, unit) in units.shuffled(using: &generator).enumerated() {
        if control.isCancelled { break measuring }
        switch unit {
        case .cell(let index):
          // In the first round, and immediately before it: no cell is ever measured with samples of unknown length.
          if !meters[index].isCalibrated { meters[index].calibrate(on: kvm, control: control) }
          try measure(index, control: control)
        case .kernel(let index): kernels[index].round(on: kvm, control: control)
        }
        progress(share(of: rounds, done + 1))
        // At least one round is measured whole: a cell without a sample says nothing.
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
    if control.isCancelled { ended = .cancelled }

    let environment = BenchEnvironment(
      cpu: cpu, before: before, after: HostLoad(of: cpu), countsInstructions: sampling.countsInstructions,
      // This thread is bound to that processor, so that CPUID tells of it.
      processor: cpu.map { HostProcessor($0, cpuid: .ofThisProcess()) },
      neighbourProcessor: otherCPU.map { HostProcessor($0) })
    let kept = VirtualMachine.KeptMemory.warning(of: VirtualMachine.keptMemory)
    return BenchReport(
      record(
        ended: ended, environment: environment,
        warnings: environment.warnings(on: host) + [kept].compactMap { $0 }))
  }

  /// What has been measured so far.
  private func record(
    ended: BenchReport.Ending, environment: BenchEnvironment = BenchEnvironment(), warnings: [String] = []
  ) -> BenchRecord {
    let isTimed = options.rounds == nil
    return BenchRecord(
      version: options.version, ended: ended, seed: options.seed,
      precision: isTimed ? options.precision : nil,
      timeBudget: isTimed ? Double(options.time / .milliseconds(1)) / 1000 : nil, roundBudget: options.rounds,
      elapsed: Double((.now - start) / .milliseconds(1)) / 1000, host: host,
      msr: BenchReport.Subject(options.selection.msr), environment: environment, warnings: warnings,
      // Where samples are differences of two, the clock's own cost is in none.
      clock: BenchReport.Clock(
        overheadCycles: sampling.fixedCost ?? 0, hertz: host.tsc.hertz, doubt: sampling.doubt),
      cells: meters.map { meter in
        meter.record(against: meters.first { $0.plan.cell.id == meter.plan.cell.baseline })
      } + kernels.flatMap(\.records))
  }

  /// Where neighbours on another processor run; nil where the plan has none, or there is no other.
  private var otherCPU: Int? {
    guard meters.contains(where: { $0.plan.neighbour == .otherCPU && $0.plan.experiment != nil }) else { return nil }
    return allowedCPUs.last { $0 != cpu }
  }

  /// Whether all is measured that was asked for, after so many rounds.
  private func isOver(after rounds: Int) -> Bool {
    options.rounds.map { rounds >= $0 } ?? (rounds > 0 && .now >= start + options.time)
  }

  /// How much of it is done after so many rounds, and so many cells of the next.
  private func share(of rounds: Int, _ cells: Int) -> Double {
    min(
      1,
      options.rounds.map { Double(rounds * units.count + cells) / Double($0 * units.count) }
        ?? (ContinuousClock.now - start) / options.time)
  }

  /// One round of one cell, beside its neighbour where it has one.
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
