// The primitives: one instruction in a loop without user mode, to be compared with the same loop without it.
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

  /// One read of an MSR; KVM traps it and ends it as long as the guest has not written anything but 0.
  public static func rdmsr(_ msr: MSR) -> Workload {
    Workload(
      primitive: .rdmsr, "one RDMSR of the MSR", msr: msr, actions: Actions(reads: 1),
      baseline: { asm in asm.mov(.ecx, msr.rawValue, "what RDMSR would read") },
      body: { asm in
        asm.mov(.ecx, msr.rawValue, "what RDMSR reads")
        asm.rdmsr()
      })
  }

  /// One CPUID, which KVM ends by itself on VMX and SVM: a light exit.
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
    asm.out(Port.chatter, .al, "nobody cares what")
  }

  /// One store to an address without memory, which KVM decodes and hands to the VMM.
  static let mmio = Workload(
    primitive: .mmio, "one store of four bytes to an address without memory, to the VMM", actions: Actions(stores: 1)
  ) { asm in
    asm.mov(.absolute(Layout.device), .eax, "nobody cares what")
  }

  /// One HLT, which exits to the VMM where there is no interrupt controller in the kernel; the VMM lets the guest go
  /// on.
  static let hlt = Workload(primitive: .hlt, "one HLT, to the VMM, which resumes the guest", actions: Actions(halts: 1))
  {
    $0.hlt("the VMM goes on with the next instruction")
  }

  /// Adds `instructions` register instructions, each of which needs the one before it, to an empty iteration: to test
  /// that a measurement finds them.
  ///
  /// As many as the kernel's place in memory holds: an image with more is refused.
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
