// One run of one experiment, specialised for the policy and for what is watched.

import Hypervisor
import Measurement

struct ExperimentRun: PolicyVisitor {
  let experiment: Experiment
  let start: ExperimentStart
  let observation: Observation
  let abilities: HostAbilities
  let control: RunControl

  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> RunRecord {
    var session = try ExperimentSession(
      experiment, from: start, policy: policy, abilities: abilities, on: kvm)
    let stopped = try session.run(observing: observation, control: control)
    var record = try session.record(stopped: stopped)
    if stopped == .paused { record.snapshot = try session.snapshot(on: kvm, origin: HostReport.headline()) }
    return record
  }
}
