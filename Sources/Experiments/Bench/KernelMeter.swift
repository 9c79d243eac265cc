// Measures a Linux kernel under one policy: one guest for all rounds, with a cell for each kind of work.

import CKVM
import Hypervisor
import Measurement

/// A kernel to measure under a policy, or the reason why it cannot be measured.
struct PlannedKernel {
  let policy: PolicyName
  let mitigation: KernelMitigation
  let terms: Terms
  /// Why this host cannot run it under the policy; nil if it can.
  let refusal: String?
  let order: KernelOrder
}

extension KernelOrder {
  /// The kernels to measure: one for each mitigation and selected policy.
  func plan(_ selection: BenchSelection, by proofs: HostProofs, on kvm: borrowing KVM) throws -> [PlannedKernel] {
    var terms = Terms(proofs.abilities, acceptsUnprotected: selection.acceptsUnprotected)
    let policies = PolicyName.allCases.filter { selection.policies.isEmpty || selection.policies.contains($0) }
    for policy in policies { terms = try terms.measured(for: policy, on: kvm) }
    return mitigations.flatMap { mitigation in
      policies.map { policy in
        var refusal: String?
        if case .refused(let reason) = policy.support(on: terms) { refusal = reason }
        return PlannedKernel(policy: policy, mitigation: mitigation, terms: terms, refusal: refusal, order: self)
      }
    }
  }
}

/// A kernel while it is being measured.
struct KernelMeter {
  private let plan: PlannedKernel
  private var guest: KernelGuest?
  private var works: [WorkMeter]

  /// The time limit for booting a kernel and for its first measurement.
  private static let bootLimit = Duration.seconds(300)

  init(_ plan: PlannedKernel) {
    self.plan = plan
    works = KernelWork.kernelEntries.map { WorkMeter($0) }
    if let refusal = plan.refusal { fail(.unsupported, refusal) }
  }

  /// The cells with what was measured of them.
  var records: [CellRecord] { works.map { $0.record(of: plan) } }

  /// Measures one round of all its cells; boots the kernel first if necessary.
  ///
  /// The first measurement after the boot is discarded: it touches pages for the first time, and `adaptive` has not
  /// settled.
  mutating func round(on kvm: borrowing KVM, control: RunControl) {
    guard works.contains(where: { $0.failure == nil }) else { return }
    do {
      guard let guest = try guest ?? booted(on: kvm, control) else { return }
      let before = ThreadTime.now()
      let began = ckvm_ordered_rdtsc()
      let round = try guest.measure(control)
      let cycles = ckvm_ordered_rdtsc() &- began
      switch round.stopped {
      case nil: add(round, disturbance(from: before, to: ThreadTime.now(), signals: round.signals), cycles)
      case .timeLimit: fail(.failed, "the kernel took too long and was stopped")
      case .cancelled, .paused: return
      }
    } catch let error as ExperimentError {
      if case .kernelRefused = error { fail(.unsupported, "\(error)") } else { fail(.failed, "\(error)") }
    } catch {
      fail(.failed, "\(error)")
    }
  }

  /// The booted guest; nil if the boot was cancelled.
  private mutating func booted(on kvm: borrowing KVM, _ control: RunControl) throws -> KernelGuest? {
    let prepared = try plan.order.prepare(plan.policy, plan.mitigation, kvm, plan.terms)
    let deadline = ContinuousClock.now + Self.bootLimit
    // A run has the time limit of a small guest; the next run continues the boot.
    while true {
      let round = try prepared.measure(control)
      switch round.stopped {
      case nil:
        guest = prepared
        return prepared
      case .timeLimit where ContinuousClock.now < deadline: continue
      case .timeLimit:
        throw ExperimentError.kernelEnded("it had not finished booting after \(Self.bootLimit) and was stopped")
      case .cancelled, .paused: return nil
      }
    }
  }

  private func disturbance(from before: ThreadTime, to after: ThreadTime, signals: UInt64) -> CellRecord.Disturbance {
    let (elapsed, running) = (after.elapsed - before.elapsed, after.running - before.running)
    return CellRecord.Disturbance(
      seconds: elapsed / .seconds(1), waited: max(.zero, elapsed - running) / .seconds(1),
      preemptions: after.preemptions - before.preemptions, signals: signals)
  }

  private mutating func add(_ round: KernelRound, _ disturbance: CellRecord.Disturbance, _ cycles: UInt64) {
    let ticks = round.figures.flatMap { $0.short + $0.long }.reduce(0 as UInt64) { sum, sample in
      let (sum, isTooMuch) = sum.addingReportingOverflow(sample)
      return isTooMuch ? .max : sum
    }
    guard ticks <= cycles else {
      return fail(
        .void, "the guest's samples add up to more than the \(cycles) ticks that passed on the host's clock")
    }
    for index in works.indices { works[index].add(round, disturbance) }
  }

  /// Gives up the kernel, and all its cells that were not given up before.
  private mutating func fail(_ status: CellRecord.Status, _ reason: String) {
    guest = nil
    for index in works.indices { works[index].fail(status, reason) }
  }
}

/// One kind of a kernel's work while it is being measured.
private struct WorkMeter {
  private let work: KernelWork
  /// The figures of each round.
  private var figures: [KernelFigure] = []
  private var says: String?
  private var isIsolated: Bool?
  private var disturbance: CellRecord.Disturbance?
  /// The status and the reason of a cell that was given up.
  private(set) var failure: (status: CellRecord.Status, reason: String)?

  init(_ work: KernelWork) { self.work = work }

  private var taken: KernelMitigation? { says.flatMap(KernelMitigation.init(reported:)) }

  mutating func fail(_ status: CellRecord.Status, _ reason: String) { failure = failure ?? (status, reason) }

  /// Adds a round, unless its counts contradict the kernel's own report on Spectre v2.
  mutating func add(_ round: KernelRound, _ run: CellRecord.Disturbance) {
    guard failure == nil else { return }
    guard let figure = round.figures.first(where: { $0.work == work }) else {
      return fail(.failed, "the guest reported no samples of this work")
    }
    says = round.says
    isIsolated = round.isIsolated
    disturbance = disturbance.map { $0 + run } ?? run
    if let reason = figure.contradiction(under: taken, round.interception) {
      return fail(.void, "the counters contradict what the kernel says of itself, so this is no result: \(reason)")
    }
    figures.append(figure)
  }

  /// The cell with its measurements.
  func record(of plan: PlannedKernel) -> CellRecord {
    let iterations = figures.reduce(0) { $0 + $1.total }
    func sum(_ count: (KernelFigure.Counts) -> UInt64?) -> UInt64? {
      figures.reduce(0) { sum, figure in sum.flatMap { sum in count(figure.counts).map { sum &+ $0 } } }
    }
    func perEntry(_ count: UInt64?) -> Double? { iterations > 0 ? count.map { Double($0) / Double(iterations) } : nil }
    let writes = sum(\.writes) ?? 0
    var cell = CellRecord(
      CellRecord.Kernel(
        work, told: plan.mitigation, says: says, isIsolated: isIsolated, iterations: UInt64(iterations), writes: writes,
        interrupts: iterations > 0 ? sum(\.mostInterrupts) : nil),
      under: plan.policy)
    cell.mechanism = plan.terms.abilities.mechanism(of: plan.policy).map(Known.known)
    if let failure { (cell.status, cell.reason) = failure }
    cell.writesPerEntry = work.writes(under: taken) ?? 0
    cell.iterationsPerSample = figures.last?.repetitions ?? 0
    cell.rounds = figures.map(\.costs)
    cell.vmmExitsPerEntry = perEntry(sum(\.exits))
    cell.kvmExitsPerEntry = perEntry(sum(\.kvmExits))
    cell.disturbance = disturbance
    // Half of its writes tells a place from another, whatever disturbs the counts.
    let half = Double(cell.writesPerEntry) / 2
    let lightExits = (cell.kvmExitsPerEntry ?? 0) - (cell.vmmExitsPerEntry ?? 0)
    if cell.writesPerEntry > 0, let trapped = perEntry(writes) {
      cell.place = trapped > half ? .vmm : lightExits > half ? .kvm : .hardware
    }
    return cell
  }
}
