// The library in one page: a guest of five instructions writes IA32_SPEC_CTRL under the policy `emulate`.

import Experiments
import GuestImages
import Hypervisor

@main
struct CountExits {
  static func main() throws {
    var asm = Assembler(origin: 0x1000, mode: .bits16)
    asm.mov(.ecx, 0x48, "IA32_SPEC_CTRL")
    asm.mov(.eax, 1, "IBRS")
    asm.xor(.edx, .edx)
    asm.wrmsr()
    asm.hlt()
    let program = try asm.assemble()

    // What this host can do is proved first: IBRS is kept on for the guest where that protects it. Where nothing does,
    // only a machine that accepts it is made.
    let kvm = try KVM()
    let policy = Emulate()
    let terms = try Terms.prove(for: policy, on: kvm)
    var machine = try Machine(on: kvm, policy: policy, terms: terms.acceptingNoProtection())
    try machine.vm.addMemory(at: 0, count: 0x10000)
    try machine.vm.write(program.bytes, at: GuestPhysicalAddress(program.origin))
    try machine.vcpu.startInRealMode(at: 0x1000)

    var devices = NoDevices()
    var observer = NoObserver()
    let end = try machine.run(&devices, observer: &observer, control: RunControl(timeLimit: .seconds(1)))

    print("protected: \(machine.protection.level)")
    print("the guest \(end) after \(machine.counters.total) exits")
    print("writes of SPEC_CTRL: \(machine.counters.byMSR[.specCtrl]?.writes ?? 0)")
    print("the guest reads \(SpecCtrl(rawValue: try machine.subjectValue().guest ?? 0)) from now on")
  }
}

/// A guest without devices ends with its HLT.
struct NoDevices: ExitHandler {}
