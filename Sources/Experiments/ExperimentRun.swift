// One run of one experiment, specialised for the policy and for what is watched.

import Hypervisor
import Measurement

struct ExperimentRun: PolicyVisitor {
  let experiment: Experiment
  let start: ExperimentStart
  let observation: Observation
  let terms: Terms
  let control: RunControl
  let beforeEntry: () throws -> Void

  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> RunRecord {
    let keptBefore = VirtualMachine.keptMemory.count
    var session = try ExperimentSession(
      experiment, from: start, policy: policy, terms: terms, on: kvm)
    try beforeEntry()
    let stopped = try session.run(observing: observation, control: control)
    var record = try session.record(stopped: stopped)
    if stopped == .paused { record.snapshot = try session.snapshot(on: kvm, origin: HostReport.headline()) }
    // The machine goes here, and what it could not give back is said.
    _ = consume session
    let kept = Array(VirtualMachine.keptMemory.dropFirst(keptBefore))
    if let warning = VirtualMachine.KeptMemory.warning(of: kept) { record.warnings.append(warning) }
    return record
  }
}
