// Interrupts in a VM: KVM's own interrupt controllers and timer, and the lines that devices raise.
// Facts: KVM API document, sections 4.24 (KVM_CREATE_IRQCHIP), 4.25 (KVM_IRQ_LINE), 4.71 (KVM_CREATE_PIT2).

import CKVM

/// What a machine has besides its vCPU when it is made.
public struct MachineHardware: Equatable, Sendable {
  /// The interrupt hardware of a PC that KVM emulates.
  public enum Interrupts: Equatable, Sendable {
    /// None: HLT exits to the VMM.
    case none
    /// Two 8259s, an I/O APIC and the vCPU's local APIC. HLT waits in KVM for an interrupt and never exits.
    case controllers
    /// The same with an 8254 timer, the PIT.
    case controllersAndTimer
  }

  public var interrupts: Interrupts
  /// Whether accesses of MSRs that KVM does not emulate exit to the VMM, which counts them before they fault.
  public var countsUnservedMSRs: Bool
  /// Bytes of memory from address 0, in whole pages.
  ///
  /// `VirtualMachine.addMemory` adds more. KVM takes milliseconds to add a slot to a VM with interrupt controllers
  /// (synchronize_srcu in virt/kvm/kvm_main.c), so this slot is made before them.
  public var memory: Int

  /// The hardware as given.
  public init(interrupts: Interrupts = .none, countsUnservedMSRs: Bool = false, memory: Int = 0) {
    self.interrupts = interrupts
    self.countsUnservedMSRs = countsUnservedMSRs
    self.memory = memory
  }

  /// Only a vCPU.
  public static let bare = MachineHardware()
}

/// The inputs of a VM's interrupt controllers.
///
/// They keep KVM's VM alive, but not its memory.
public struct InterruptInputs: ~Copyable, Sendable {
  private let vm: Descriptor

  init(of vm: consuming Descriptor) { self.vm = vm }

  /// Raises or lowers the input of this number; callable from any thread.
  ///
  /// - Throws: `KVMError` when the VM has no interrupt controllers, or they no such input.
  public func set(_ number: UInt32, _ isHigh: Bool) throws(KVMError) {
    // struct kvm_irq_level: the input's number, then its level, 32 bits each.
    var level = UInt64(number) | (isHigh ? 1 << 32 : 0)
    try vm.request(.irqLine, &level)
  }
}

/// One input of a VM's interrupt controllers.
public struct InterruptLine: ~Copyable, Sendable {
  private let inputs: InterruptInputs
  private let number: UInt32

  init(_ number: Int, of inputs: consuming InterruptInputs) {
    self.inputs = inputs
    self.number = UInt32(number)
  }

  /// Raises or lowers the line; callable from any thread.
  ///
  /// - Throws: `KVMError` when the VM has no interrupt controllers.
  public func set(_ isHigh: Bool) throws(KVMError) { try inputs.set(number, isHigh) }
}

extension VirtualMachine {
  /// Makes the VM's interrupt hardware; possible only before its first vCPU.
  ///
  /// - Throws: `KVMError` when KVM lacks it, or the VM has a vCPU already.
  func make(_ interrupts: MachineHardware.Interrupts) throws(KVMError) {
    guard interrupts != .none else { return }
    try descriptor.request(.createIRQChip)
    guard interrupts == .controllersAndTimer else { return }
    var configuration = kvm_pit_config()
    // Port 0x61 too: a guest starts the timer's third counter there, and reads when it is done.
    configuration.flags = UInt32(KVM_PIT_SPEAKER_DUMMY)
    try descriptor.request(.createPIT2, &configuration)
  }

  /// The input with this number; the two 8259s have 0 to 15.
  ///
  /// - Throws: `KVMError` when this process has no descriptor left.
  public func interruptLine(_ number: Int) throws(KVMError) -> InterruptLine {
    InterruptLine(number, of: try interruptInputs())
  }

  /// All inputs.
  ///
  /// - Throws: `KVMError` when this process has no descriptor left.
  public func interruptInputs() throws(KVMError) -> InterruptInputs {
    InterruptInputs(of: try descriptor.duplicate())
  }
}
