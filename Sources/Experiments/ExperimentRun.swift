// One run of one experiment, specialised for the policy and for what is watched.

import CKVM
import GuestImages
import Hypervisor
import Measurement

struct ExperimentRun: PolicyVisitor {
  let experiment: Experiment
  let image: GuestImage
  let observation: Observation
  let protection: Protection
  let control: RunControl

  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> RunRecord {
    let intercepts: RunRecord.Interception =
      !policy.intercepts.contains(experiment.msr) ? .never : policy.changesIntercepts ? .atTimes : .always
    let contract: GuestContract
    if let given = experiment.contract {
      contract = given
    } else {
      contract = policy.contract(from: try GuestContract(offeredBy: kvm))
    }
    if let reason = experiment.workload.refusal(toldOf: contract) {
      throw ExperimentError.workloadRefused(experiment.workload.name, reason)
    }
    var machine = try Machine(on: kvm, policy: policy, presenting: contract)
    try machine.load(image, orders: experiment.orders)
    let subjectAtStart = try machine.subjectValue()
    let statisticsBefore = try machine.vcpu.statistics()

    var ports = GuestPorts(for: experiment.workload)
    let began: UInt64
    let ended: UInt64
    let end: Machine<P>.End
    var roundTrips: [String: CycleSummary]?
    switch observation {
    case .nothing:
      var observer = NoObserver()
      began = ckvm_ordered_rdtsc()
      end = try machine.run(&ports, observer: &observer, control: control)
      ended = ckvm_ordered_rdtsc()
    case .roundTrips:
      var timer = RoundTripTimer()
      began = ckvm_ordered_rdtsc()
      end = try machine.run(&ports, observer: &timer, control: control)
      ended = ckvm_ordered_rdtsc()
      roundTrips = timer.summaries
    case .trace(let sink):
      var trace = ExitTrace(sink: sink)
      began = ckvm_ordered_rdtsc()
      end = try machine.run(&ports, observer: &trace, control: control)
      ended = ckvm_ordered_rdtsc()
    case .portOuts(let count):
      var counter = PortOutCounter(count: count)
      began = ckvm_ordered_rdtsc()
      end = try machine.run(&ports, observer: &counter, control: control)
      ended = ckvm_ordered_rdtsc()
    }

    // KVM's count first: finishing the last exit and reading registers must not be in it.
    let statisticsAfter = try machine.vcpu.statistics()
    _ = try machine.vcpu.completeExit()
    let mailbox = try machine.mailbox()
    if let fault = mailbox.fault { throw ExperimentError.guestFault(fault) }
    let record = RunRecord(
      experiment: experiment, protection: protection, stopped: end.stop, interceptsSubject: intercepts,
      counters: machine.counters, kvmStatistics: statisticsAfter.flatMap { $0.growth(since: statisticsBefore) },
      mailbox: mailbox, samples: try machine.samples(ordered: experiment.orders), subjectAtStart: subjectAtStart,
      subjectAtEnd: try machine.subjectValue(), contract: machine.contract, hostCycles: ended &- began,
      roundTrips: roundTrips,
      tally: Dictionary(machine.currentPolicy.tally.map { ($0.name, $0.count) }, uniquingKeysWith: +))
    try record.verify()
    return record
  }
}

extension Machine.End where P: ~Copyable {
  fileprivate var stop: RunControl.Stop? {
    switch self {
    case .finished: nil
    case .stopped(let stop): stop
    }
  }
}

extension Machine where P: ~Copyable {
  /// The guest's mailbox.
  ///
  /// Throws `ExperimentError.mailbox` when what stands there is no mailbox.
  func mailbox() throws -> Mailbox {
    let page = try vm.read(Layout.pageSize, at: GuestPhysicalAddress(Layout.mailbox))
    guard let mailbox = Mailbox(page: page) else {
      throw ExperimentError.mailbox("its state is none that a guest writes")
    }
    return mailbox
  }

  /// The samples that the guest has completed.
  ///
  /// Throws `ExperimentError.mailbox` when a record was changed in a way that the guest's code does not.
  fileprivate func samples(ordered orders: [UInt32]) throws -> [SampleRecord] {
    let bytes = try vm.read(orders.count * SampleRecord.size, at: GuestPhysicalAddress(Layout.samples))
    let records = SampleRecord.records(in: bytes)
    guard records.map(\.iterations) == orders else {
      throw ExperimentError.mailbox("the guest has changed the iterations that were ordered")
    }
    return Array(records.prefix(while: \.isComplete))
  }
}

extension Statistics {
  /// By how much each counter grew; nil without a reading from before.
  fileprivate func growth(since before: Statistics?) -> [String: UInt64]? {
    guard let before else { return nil }
    return values.reduce(into: [:]) { growth, statistic in
      guard statistic.value.count == 1, let old = before[statistic.key], statistic.value[0] > old else { return }
      growth[statistic.key] = statistic.value[0] - old
    }
  }
}
