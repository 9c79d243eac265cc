// The cells of single instructions, each beside its own loop.

import GuestImages
import Hypervisor
import Measurement

extension BenchPlan {
  mutating func planPrimitives(on kvm: borrowing KVM) throws {
    if wants(.wrmsr) {
      for policy in policies {
        try planPrimitive(.wrmsr(selection.msr), policy, on: kvm)
      }
      if policies.contains(.passthrough) {
        try planPrimitive(
          .wrmsr(.standIn, value: 0), .passthrough, on: kvm, msr: .standIn,
          isSelected: isPossible(.passthrough))
      }
    }
    if wants(.rdmsr) {
      // Under `passthrough` KVM traps it while the guest has written nothing; under `emulate` it exits to the VMM.
      for policy in policies where policy == .passthrough || policy == .emulate {
        try planPrimitive(.rdmsr(selection.msr), policy, on: kvm)
      }
    }
    for name in Self.primitives where wants(name) && ![.wrmsr, .rdmsr, .delay].contains(name) {
      try planPrimitive(Workload(name), anyPolicy, on: kvm)
    }
    // A delay only tests the measurement, so it is measured only if it is asked for.
    if selection.workloads.contains(.delay) { try planPrimitive(Workload(.delay), anyPolicy, on: kvm) }
  }

  /// The policy for primitives that cost the same under each: `emulate` if selected, else the first that is possible.
  private var anyPolicy: PolicyName {
    let possible = policies.filter(isPossible)
    let candidates = possible.isEmpty ? policies : possible
    return candidates.contains(.emulate) ? .emulate : candidates[0]
  }

  private mutating func planPrimitive(
    _ workload: Workload, _ policy: PolicyName, on kvm: borrowing KVM, msr: MSR? = nil, isSelected: Bool = true
  ) throws {
    guard let loop = workload.baseline else { return }
    let id = CellRecord.identifier(
      workload: workload.name, entry: .known(.none), policy: .known(policy), msr: .known(msr ?? selection.msr))
    let baseline = "\(id)/loop"
    try plan(loop, .none, policy, on: kvm, msr: msr, id: baseline, isSelected: false)
    try plan(
      workload, .none, policy, on: kvm, msr: msr, against: baseline, use: .subtract, id: id, isSelected: isSelected)
  }
}
