// The example of the module's overview page, which shows it from the first import on.

import Experiments
import GuestImages
import Hypervisor

/// What a kernel entry with two writes of IA32_SPEC_CTRL costs under a policy, in cycles: the samples of a thousand.
func costs(under policy: PolicyName) throws -> [Double] {
  let kvm = try KVM()
  // Not every host takes SYSCALL from a guest: small guests try the entries, the fastest first.
  let entry = try EntryProof.proveBest(of: Workload(.ibrs).entries, on: kvm).entry
  let experiment = try Experiment(.ibrs, entry: entry, policy: policy, iterations: 1000, samples: 20)
  return try experiment.run(on: kvm).cyclesPerIteration
}

/// What a kernel entry of your own costs under a policy, in cycles.
///
/// This one writes IA32_SPEC_CTRL on its way in only, and is held to the one write that it promises.
func costsOfOwnEntry(under policy: PolicyName) throws -> [Double] {
  let workload = try Workload(named: "my-entry", writtenBits: 1, perIteration: .init(writes: 1)) { asm in
    asm.mov(.ecx, 0x48, "IA32_SPEC_CTRL")
    asm.mov(.eax, 1, "IBRS")
    asm.xor(.edx, .edx)
    asm.wrmsr()
  }
  let kvm = try KVM()
  let entry = try EntryProof.proveBest(of: workload.entries, on: kvm).entry
  let experiment = try Experiment(running: workload, entry: entry, policy: policy, iterations: 1000, samples: 20)
  return try experiment.run(on: kvm).cyclesPerIteration
}
