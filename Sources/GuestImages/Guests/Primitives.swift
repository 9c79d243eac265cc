// The primitives: one instruction in a loop without user mode, compared with the same loop without the instruction.
// Facts: Intel SDM vol. 2, WRMSR, CPUID (changes RAX, RBX, RCX, RDX), OUT; vol. 3C, 26.1.2 (CPUID exits
// unconditionally); KVM API document, section 5 (KVM_EXIT_MMIO, KVM_EXIT_HLT).

public import Registers

extension Workload {
  /// One write of an MSR, with nothing around it; where it ends (hardware, KVM, VMM) depends on MSR and policy.
  ///
  /// Writes the same value in every iteration. The default is the lowest bit: IBRS in IA32_SPEC_CTRL, IBPB in
  /// IA32_PRED_CMD. KVM on VMX opens SPEC_CTRL to a guest at its first write that is not 0.
  public static func wrmsr(_ msr: MSR = .specCtrl, value: UInt64 = 1) -> Workload {
    var workload = Workload(
      primitive: .wrmsr, "one WRMSR of the MSR (value 1)", msr: msr, actions: Actions(writes: 1),
      baseline: { asm in asm.prepareWriteMSR(msr, value, "what WRMSR would write") },
      body: { asm in asm.writeMSR(msr, value, "what WRMSR writes") })
    workload.writtenBits = value
    return workload
  }

  /// One read of an MSR; KVM traps it and completes it until the guest has written a value other than 0.
  public static func rdmsr(_ msr: MSR) -> Workload {
    Workload(
      primitive: .rdmsr, "one RDMSR of the MSR", msr: msr, actions: Actions(reads: 1),
      baseline: { asm in asm.mov(.ecx, msr.rawValue, "what RDMSR would read") },
      body: { asm in
        asm.mov(.ecx, msr.rawValue, "what RDMSR reads")
        asm.rdmsr()
      })
  }

  /// One CPUID, which KVM completes by itself on VMX and SVM: a light exit.
  static let cpuid = Workload(
    primitive: .cpuid, "one CPUID of leaf 0, which KVM ends by itself", actions: Actions(cpuids: 1),
    baseline: { asm in aroundCPUID(&asm) { _ in } },
    body: { asm in aroundCPUID(&asm) { $0.cpuid("vendor and highest leaf") } })

  /// Keeps the sample record's address, which is in RBX.
  private static func aroundCPUID(_ asm: inout Assembler, _ instruction: (inout Assembler) -> Void) {
    asm.mov(.r8, .rbx, "the sample record")
    asm.xor(.eax, .eax, "leaf 0")
    instruction(&asm)
    asm.mov(.rbx, .r8)
  }

  /// One OUT, which exits to the VMM.
  static let out = Workload(primitive: .out, "one OUT of a byte, to the VMM", actions: Actions(outs: 1)) { asm in
    asm.out(Port.chatter, .al, "the value does not matter")
  }

  /// Two OUTs, one after the other: the second one costs an exit without any work of the guest in between.
  static let outTwice = Workload(
    primitive: .outTwice, "two OUTs of a byte in a row, to the VMM", actions: Actions(outs: 2)
  ) { asm in
    asm.out(Port.chatter, .al, "the value does not matter")
    asm.out(Port.chatter, .al, "at once again")
  }

  /// One OUT, after which the VMM calls KVM_RUN twice: with immediate_exit set, which returns without entering the
  /// guest, and then to enter it.
  static let outInterrupted = Workload(
    primitive: .outInterrupted, "one OUT of a byte, and a KVM_RUN that enters no guest (immediate_exit)",
    actions: Actions(outs: 1, interruptions: 1)
  ) { asm in
    asm.out(Port.interrupt, .al, "KVM_RUN returns at once, then enters")
  }

  /// One store to an address without memory, which KVM decodes and passes to the VMM.
  static let mmio = Workload(
    primitive: .mmio, "one store of four bytes to an address without memory, to the VMM", actions: Actions(stores: 1)
  ) { asm in
    asm.mov(.absolute(Layout.device), .eax, "the value does not matter")
  }

  /// One HLT, which exits to the VMM if KVM has no interrupt controller in the kernel; the VMM resumes the guest.
  static let hlt = Workload(primitive: .hlt, "one HLT, to the VMM, which resumes the guest", actions: Actions(halts: 1))
  {
    $0.hlt("the VMM resumes at the next instruction")
  }

  /// A loop of `instructions` register instructions, each of which depends on the one before.
  ///
  /// It tests that a measurement finds a known cost.
  ///
  /// An image whose code does not fit the kernel's place in memory is refused.
  public static func delay(_ instructions: Int = Parameter.instructions.usual) -> Workload {
    precondition(instructions >= 0)
    var workload = Workload(
      primitive: .delay, "a known delay: register instructions, each waiting for the one before", actions: Actions()
    ) { asm in
      for _ in 0..<instructions { asm.inc(.r8d) }
    }
    workload.parameters = [.instructions: instructions]
    return workload
  }
}
