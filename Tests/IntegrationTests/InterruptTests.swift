// KVM's interrupt controllers as a machine's option.

import Experiments
import Hypervisor
import TestSupport
import Testing

@Suite("A machine with interrupt controllers", .needsKVM, .bounded)
struct InterruptTests {
  private func machine(_ interrupts: MachineHardware.Interrupts) throws -> Machine<Emulate> {
    let kvm = try KVM()
    return try Machine(
      on: kvm, policy: Emulate(), terms: .prove(.specCtrl, on: kvm).acceptingNoProtection(),
      hardware: MachineHardware(interrupts: interrupts))
  }

  @Test("has lines that can be raised and lowered; one without has none")
  func lines() throws {
    for interrupts in [MachineHardware.Interrupts.controllers, .controllersAndTimer] {
      let line = try machine(interrupts).vm.interruptLine(4)
      try line.set(true)
      try line.set(false)
    }
    let line = try machine(.none).vm.interruptLine(4)
    #expect(throws: KVMError.self) { try line.set(true) }
  }

  @Test("outlives itself as a line: the machine's memory is gone then, and the line still answers")
  func lineAlone() throws {
    func make() throws -> InterruptLine {
      var machine = try machine(.controllers)
      try machine.vm.addMemory(at: 0, count: 4096)
      return try machine.vm.interruptLine(4)
    }
    let line = try make()
    try line.set(true)
  }

  @Test("cannot be put into a snapshot, and says why")
  func snapshot() throws {
    let kvm = try KVM()
    var machine = try Machine(
      on: kvm, policy: Emulate(), terms: .prove(.specCtrl, on: kvm).acceptingNoProtection(),
      hardware: MachineHardware(interrupts: .controllersAndTimer))
    let error = try #require(throws: VirtualCPUStateError.self) { try machine.state(on: kvm) }
    #expect(error == .interruptControllers && "\(error)".contains("KVM_CREATE_IRQCHIP"))
  }
}
