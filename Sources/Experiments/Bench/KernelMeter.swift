// Measuring a Linux kernel under one policy: one guest, kept for all rounds, with a cell for each work of its.

import CKVM
import Hypervisor
import Measurement

/// A kernel under a policy that is to be measured, or the reason why it cannot be.
struct PlannedKernel {
  let policy: PolicyName
  let mitigation: KernelMitigation
  let terms: Terms
  /// Why this host cannot run it so; nil where it can.
  let refusal: String?
  let order: KernelOrder
}

extension KernelOrder {
  /// The kernels under the policies that a benchmark is to measure.
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
  private var cells: [CellRecord]

  /// How long a kernel may take until its first process has measured everything once.
  private static let bootLimit = Duration.seconds(300)

  init(_ plan: PlannedKernel) {
    self.plan = plan
    cells = KernelWork.kernelEntries.map { work in
      var cell = CellRecord(CellRecord.Kernel(work, told: plan.mitigation), under: plan.policy)
      if let refusal = plan.refusal { (cell.status, cell.reason) = (.unsupported, refusal) }
      return cell
    }
  }

  /// The cells with what was measured of them.
  var records: [CellRecord] { cells }

  /// Measures one round of all its cells; boots it before that, where it has not been.
  ///
  /// What it measures when it has just booted is no round: pages are touched for the first time there, and `adaptive`
  /// comes to know its guest.
  mutating func round(on kvm: borrowing KVM, control: RunControl) {
    guard cells.contains(where: { $0.status == .measured }) else { return }
    do {
      guard let guest = try guest ?? booted(on: kvm, control) else { return }
      let before = ThreadTime.now()
      let began = ckvm_ordered_rdtsc()
      let round = try guest.measure(control)
      let cycles = ckvm_ordered_rdtsc() &- began
      switch round.stopped {
      case nil: add(round, before, ThreadTime.now(), cycles)
      case .timeLimit: give(up: .failed, "the kernel took too long and was stopped")
      case .cancelled, .paused: return
      }
    } catch let error as ExperimentError {
      if case .kernelRefused = error { give(up: .unsupported, "\(error)") } else { give(up: .failed, "\(error)") }
    } catch {
      give(up: .failed, "\(error)")
    }
  }

  /// The guest when it has booted; nil when that was cancelled.
  private mutating func booted(on kvm: borrowing KVM, _ control: RunControl) throws -> KernelGuest? {
    let prepared = try plan.order.prepare(plan.policy, plan.mitigation, kvm, plan.terms)
    let deadline = ContinuousClock.now + Self.bootLimit
    // A run has the time limit of a small guest, and goes on.
    while true {
      let round = try prepared.measure(control)
      switch round.stopped {
      case nil:
        guest = prepared
        return prepared
      case .timeLimit where ContinuousClock.now < deadline: continue
      case .timeLimit: throw ExperimentError.kernelEnded("it was stopped, having booted for \(Self.bootLimit)")
      case .cancelled, .paused: return nil
      }
    }
  }

  private mutating func add(_ round: KernelRound, _ before: ThreadTime, _ after: ThreadTime, _ cycles: UInt64) {
    let ticks = round.figures.flatMap { $0.short + $0.long }.reduce(0 as UInt64) { sum, sample in
      let (sum, isTooMuch) = sum.addingReportingOverflow(sample)
      return isTooMuch ? .max : sum
    }
    guard ticks <= cycles else {
      give(
        up: .void, "the guest's samples last longer in all than the \(cycles) ticks that went by on the host's clock")
      return
    }
    for index in cells.indices where cells[index].status == .measured {
      guard let figure = round.figures.first(where: { cells[index].kernel?.work == .known($0.work) }) else {
        cells[index].give(up: .failed, "the guest did not tell what it measured of this")
        continue
      }
      cells[index].add(figure, of: round)
      var disturbance = cells[index].disturbance ?? CellRecord.Disturbance()
      let (elapsed, running) = (after.elapsed - before.elapsed, after.running - before.running)
      disturbance.add(
        seconds: elapsed / .seconds(1), waited: max(.zero, elapsed - running) / .seconds(1),
        preemptions: after.preemptions - before.preemptions, signals: round.signals)
      cells[index].disturbance = disturbance
    }
  }

  /// Gives all its cells up, with the reason.
  private mutating func give(up status: CellRecord.Status, _ reason: String) {
    guest = nil
    for index in cells.indices where cells[index].status == .measured { cells[index].give(up: status, reason) }
  }
}

extension CellRecord {
  fileprivate mutating func give(up status: Status, _ reason: String) { (self.status, self.reason) = (status, reason) }

  /// Adds a round, unless its counts contradict what the kernel says of itself.
  fileprivate mutating func add(_ figure: KernelFigure, of round: KernelRound) {
    let before = Double(kernel?.iterations ?? 0)
    kernel?.add(
      iterations: UInt64(figure.total), writes: figure.counts.writes, interrupts: figure.counts.mostInterrupts,
      says: round.says)
    let taken = kernel?.taken?.value
    writesPerEntry = figure.work.writes(under: taken) ?? 0
    if let reason = figure.contradiction(under: taken, round.interception) {
      give(up: .void, "the counters contradict what the kernel says of itself, so this is no result: \(reason)")
      return
    }
    iterationsPerSample = figure.repetitions
    rounds.append(figure.costs)
    // The mean over all rounds, from the mean so far.
    func mean(_ mean: Double?, _ exits: UInt64) -> Double {
      ((mean ?? 0) * before + Double(exits)) / (before + Double(figure.total))
    }
    vmmExitsPerEntry = mean(vmmExitsPerEntry, figure.counts.exits)
    kvmExitsPerEntry = figure.counts.kvmExits.map { mean(kvmExitsPerEntry, $0) }
    place = endOfWrites
  }

  /// Where its writes end, by what was counted.
  private var endOfWrites: Place {
    guard writesPerEntry > 0, let kernel, kernel.iterations > 0 else { return .none }
    let half = Double(writesPerEntry) / 2
    if Double(kernel.writes) / Double(kernel.iterations) > half { return .vmm }
    return (kvmExitsPerEntry ?? 0) - (vmmExitsPerEntry ?? 0) > half ? .kvm : .hardware
  }
}
