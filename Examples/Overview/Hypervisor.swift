// The example of the module's overview page, which shows it from the first import on.

import Experiments
import Hypervisor

/// Runs code in real mode until it halts, its writes of IA32_SPEC_CTRL emulated; gives how many there were.
func countWrites(of code: [UInt8]) throws -> UInt64 {
  let kvm = try KVM()
  let policy = Emulate()
  let terms = try Terms.prove(for: policy, on: kvm)
  var machine = try Machine(on: kvm, policy: policy, terms: terms.acceptingNoProtection())
  try machine.vm.addMemory(at: 0, count: 0x10000)
  try machine.vm.write(code, at: 0x1000)
  try machine.vcpu.startInRealMode(at: 0x1000)
  var (devices, observer) = (Nothing(), NoObserver())
  _ = try machine.run(&devices, observer: &observer, control: RunControl(timeLimit: .seconds(1)))
  return machine.counters.byMSR[.specCtrl]?.writes ?? 0
}

/// A guest without devices ends with its HLT.
private struct Nothing: ExitHandler {}
