// Measures one cell: the iterations of a sample, rounds of samples, and exits.

import GuestImages
import Hypervisor
import Measurement
import SystemPackage

/// A cell while it is being measured.
struct CellMeter {
  let plan: PlannedCell
  private let sampling: Sampling
  /// The iterations of the shorter sample of a pair, the longer has twice as many; nil before `calibrate`.
  private var iterations: UInt32?
  /// The cost of an iteration by each sample, in each round.
  private(set) var rounds: [[Double]] = []
  /// The status and the reason of a cell that was given up.
  private(set) var failure: (status: CellRecord.Status, reason: String)?
  private var disturbance: CellRecord.Disturbance?
  private var counted: (iterations: UInt64, vmm: UInt64, kvm: UInt64?, emulated: UInt64) = (0, 0, 0, 0)
  /// By how much KVM's statistics grew in all rounds; nil where it has none.
  private var statistics: [String: UInt64]?
  private var exitReasonsPerEntry: [String: Double]?

  /// Pairs of samples in one round.
  private static let pairs = 8
  /// Pairs of samples in a round beside a neighbour, which takes longer than a scheduler's turn.
  private static let pairsBesideNeighbour = 32
  /// How often a round without writes of the neighbour is repeated.
  private static let tries = 5
  /// The number of samples of which the shortest counts; enough that one is undisturbed.
  private static let trials = 8
  private static let mostIterations: UInt32 = 1 << 20

  init(_ plan: PlannedCell, _ sampling: Sampling) { (self.plan, self.sampling) = (plan, sampling) }

  var isActive: Bool { failure == nil && plan.experiment != nil }

  /// Determines the iterations of a sample.
  ///
  /// Cells of the same cost get almost the same number on a busy machine too, because longer samples are disturbed
  /// more.
  mutating func calibrate(on kvm: borrowing KVM, control: RunControl) {
    if isActive { iterations = enoughIterations(on: kvm, control: control) ?? iterations }
  }

  private mutating func enoughIterations(on kvm: borrowing KVM, control: RunControl) -> UInt32? {
    if let fixedCost = sampling.fixedCost {
      countIterations(besides: fixedCost, on: kvm, control: control)
    } else {
      tryIterations(on: kvm, control: control)
    }
  }

  /// Tries longer and longer samples, until the shortest one is long enough.
  private mutating func tryIterations(on kvm: borrowing KVM, control: RunControl) -> UInt32? {
    var iterations: UInt32 = 1
    while true {
      guard let least = leastTicks(of: iterations, on: kvm, control: control) else { return nil }
      let enough = Self.iterations(of: least / Double(iterations), lasting: sampling.ticks)
      // The fixed cost may be most of a short sample, so a much larger result is tried again.
      if enough <= iterations + iterations / 8 { return enough }
      iterations = enough
    }
  }

  /// Counts the instructions of an iteration; by such a clock all iterations are alike.
  private mutating func countIterations(
    besides fixedCost: Double, on kvm: borrowing KVM, control: RunControl
  ) -> UInt32? {
    // Two, because some workloads switch between two tasks.
    guard let least = leastTicks(of: 2, on: kvm, control: control) else { return nil }
    return Self.iterations(of: (least - fixedCost) / 2, lasting: sampling.ticks)
  }

  /// The ticks of the shortest of some samples; nil when there is no result.
  private mutating func leastTicks(of iterations: UInt32, on kvm: borrowing KVM, control: RunControl) -> Double? {
    let lengths = settling + [UInt32](repeating: iterations, count: 1 + Self.trials)
    // The first sample includes the guest's cold start.
    return run(lengths, on: kvm, control: control).map {
      Array($0.samples.dropFirst(settling.count + 1)).least(of: iterations)
    }
  }

  /// How many iterations of this cost last `ticks`; even unless 1, for the workloads of two tasks.
  static func iterations(of cost: Double, lasting ticks: UInt64) -> UInt32 {
    let enough = Double(ticks) / max(1, cost)
    return enough <= 1 ? 1 : min(mostIterations, 2 * UInt32((min(enough, Double(mostIterations)) / 2).rounded(.up)))
  }

  /// Whether `calibrate` has succeeded.
  var isCalibrated: Bool { iterations != nil }

  /// Measures one round: pairs of samples of N and 2N iterations, from which `Sampling` computes costs.
  ///
  /// The round of a cell beside a neighbour counts only if the neighbour has written meanwhile, by `neighbourWrites`.
  /// It is longer, so that the two take turns on one processor.
  mutating func round(on kvm: borrowing KVM, control: RunControl, neighbourWrites: (() -> UInt64)? = nil) {
    guard isActive, let iterations else { return }
    let pairs = neighbourWrites == nil ? Self.pairs : Self.pairsBesideNeighbour
    let lengths = settling + (0..<pairs).flatMap { _ in [iterations, 2 * iterations] }
    for _ in 0..<Self.tries {
      let before = neighbourWrites?()
      guard let record = run(lengths, on: kvm, control: control) else { return }
      if let before, let after = neighbourWrites?(), after == before { continue }
      return add(record, of: iterations)
    }
    fail(.void, "its neighbour wrote nothing while it was measured, \(Self.tries) times in a row")
  }

  /// The iterations at the start of each run that are not samples: enough for `adaptive` to open the register.
  private var settling: [UInt32] {
    guard let experiment = plan.experiment, experiment.policy == .adaptive, let costs = plan.terms.adaptiveCosts
    else { return [] }
    let accesses = experiment.workload.perIteration.reads + experiment.workload.perIteration.writes
    guard accesses > 0, costs.access > 0 else { return [] }
    return [UInt32(clamping: 2 * costs.price / (costs.access * Int(accesses)) + 1)]
  }

  private mutating func add(_ record: RunRecord, of iterations: UInt32) {
    let settled = Array(record.samples.dropFirst(settling.count))
    rounds.append(sampling.costs(of: settled, iterations: iterations))
    counted.iterations += record.iterations
    let run = CellRecord.Disturbance(record.disturbance)
    disturbance = disturbance.map { $0 + run } ?? run
    // Exits that are not the settled workload's: the doorbell at the end, and accesses trapped before the register was
    // opened.
    let others = 1 + record.trappedBeforeOpening
    counted.vmm += record.counters.total - others
    counted.kvm = counted.kvm.flatMap { sum in record.kvmExits.map { sum + $0 - others } }
    counted.emulated += record.kvmStatistics?["insn_emulation"] ?? 0
    if let growth = record.kvmStatistics { statistics = (statistics ?? [:]).merging(growth, uniquingKeysWith: &+) }
  }

  /// Counts the exits of an iteration by their reasons, in two runs that give no figures: what the longer has more is
  /// that of its iterations.
  ///
  /// A cell beside a neighbour is left out.
  ///
  /// - Throws: `ExitReasonTraceError`, and what running a guest throws.
  mutating func countExits(by trace: ExitReasonTrace, on kvm: borrowing KVM, control: RunControl) throws {
    guard isActive, plan.neighbour == nil, let iterations, var experiment = plan.experiment else { return }
    experiment.exitReasonTrace = trace
    let counts = try [1, 2].map { times -> [String: UInt64]? in
      experiment.iterationsPerSample = settling + [UInt32](repeating: iterations, count: times * Self.pairs)
      let record = try experiment.run(on: kvm, terms: plan.terms, control: control)
      return record.completed ? record.exitReasons : nil
    }
    guard let fewer = counts[0], let more = counts[1] else { return }
    let entries = Double(Self.pairs) * Double(iterations)
    exitReasonsPerEntry = more.growth(since: fewer).mapValues { Double($0) / entries }
  }

  /// One run of the guest; nil when it failed, with the reason in the cell, or when it was cancelled.
  private mutating func run(_ lengths: [UInt32], on kvm: borrowing KVM, control: RunControl) -> RunRecord? {
    guard var experiment = plan.experiment else { return nil }
    experiment.iterationsPerSample = lengths
    do {
      let record = try experiment.run(on: kvm, terms: plan.terms, control: control)
      if let doubt = record.clockDoubt {
        fail(.void, "the guest's time stamps are wrong: \(doubt)")
        return nil
      }
      if record.completed { return record }
      if record.stopped == .timeLimit { fail(.failed, "the guest took too long and was stopped") }
    } catch let error as ExperimentError {
      if case .contradiction = error { fail(.void, "\(error)") } else { fail(.failed, "\(error)") }
    } catch {
      fail(.failed, "\(error)")
    }
    return nil
  }

  /// Gives the cell up.
  mutating func fail(_ status: CellRecord.Status, _ reason: String) { failure = (status, reason) }

  /// The cell with its measurements.
  ///
  /// The baseline is needed to find the place where its writes end.
  func record(against baseline: CellMeter?) -> CellRecord {
    var cell = plan.cell
    cell.place = place(against: baseline)
    if let failure { (cell.status, cell.reason) = (failure.status, failure.reason) }
    cell.iterationsPerSample = Int(iterations ?? 0)
    cell.rounds = rounds
    cell.vmmExitsPerEntry = exitsPerEntry(counted.vmm)
    cell.kvmExitsPerEntry = exitsPerEntry(counted.kvm)
    cell.kvmStatisticsPerEntry = statistics?.mapValues { Double($0) / Double(max(1, counted.iterations)) }
    cell.exitReasonsPerEntry = exitReasonsPerEntry
    cell.disturbance = disturbance
    return cell
  }

  private func exitsPerEntry(_ exits: UInt64?) -> Double? {
    counted.iterations > 0 ? exits.map { Double($0) / Double(counted.iterations) } : nil
  }

  /// Where the cell's writes end, by its exits and the instructions that KVM emulates, compared with its baseline.
  private func place(against baseline: CellMeter?) -> CellRecord.Place {
    let cell = plan.cell
    guard cell.writesPerEntry > 0, let vmm = exitsPerEntry(counted.vmm) else { return .none }
    let writes = Double(cell.writesPerEntry)
    if vmm - Double(cell.exitsPerEntry) > writes / 2 { return .vmm }
    return workInKVM - (baseline?.workInKVM ?? 0) > writes / 2 ? .kvm : .hardware
  }

  /// Exits that KVM ends by itself, and instructions that it emulates, per entry.
  private var workInKVM: Double {
    guard counted.iterations > 0 else { return 0 }
    let light = counted.kvm.map { Double($0) - Double(counted.vmm) } ?? 0
    return (light + Double(counted.emulated)) / Double(counted.iterations)
  }
}

extension CellRecord.Disturbance {
  /// A run's disturbance.
  fileprivate init(_ run: RunRecord.Disturbance) {
    self.init(seconds: run.seconds, waited: run.waited, preemptions: run.preemptions, signals: run.signals)
  }
}

extension RunRecord {
  /// The accesses of the MSR that were trapped before the register was opened and stayed open; 0 where it did not.
  fileprivate var trappedBeforeOpening: UInt64 {
    guard tally["openAtEnd"] == 1, tally["closes"] == 0, let subject = counters.byMSR[experiment.msr] else { return 0 }
    return subject.reads + subject.writes
  }
}
