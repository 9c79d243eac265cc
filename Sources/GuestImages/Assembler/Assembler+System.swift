// Instructions that talk to the processor itself: flags, fences, counters, MSRs, system calls, descriptor tables (Intel
// SDM vol. 2; VMMCALL and SYSCALL outside 64-bit mode: AMD64 APM vol. 3).

extension Assembler {
  /// `hlt`: stops until an interrupt.
  public mutating func hlt(_ comment: String = "") { plain("hlt", [0xF4], comment) }
  /// `cli`: interrupts off.
  public mutating func cli(_ comment: String = "") { plain("cli", [0xFA], comment) }
  /// `sti`: interrupts on, after the next instruction.
  public mutating func sti(_ comment: String = "") { plain("sti", [0xFB], comment) }
  /// `cld`: string instructions count up.
  public mutating func cld(_ comment: String = "") { plain("cld", [0xFC], comment) }
  /// `nop`: nothing.
  public mutating func nop(_ comment: String = "") { plain("nop", [0x90], comment) }
  /// `pause`: a hint that this is a spin loop.
  public mutating func pause(_ comment: String = "") { plain("pause", prefix: 0xF3, [0x90], comment) }
  /// `lfence`: later instructions wait for earlier ones.
  public mutating func lfence(_ comment: String = "") { plain("lfence", [0x0F, 0xAE, 0xE8], comment) }
  /// `mfence`: orders loads and stores.
  public mutating func mfence(_ comment: String = "") { plain("mfence", [0x0F, 0xAE, 0xF0], comment) }
  /// `sfence`: orders stores.
  public mutating func sfence(_ comment: String = "") { plain("sfence", [0x0F, 0xAE, 0xF8], comment) }
  /// `rdtsc`: the time-stamp counter, to edx:eax.
  public mutating func rdtsc(_ comment: String = "") { plain("rdtsc", [0x0F, 0x31], comment) }
  /// `rdtscp`: the same after earlier instructions, and IA32_TSC_AUX to ecx.
  public mutating func rdtscp(_ comment: String = "") { plain("rdtscp", [0x0F, 0x01, 0xF9], comment) }
  /// `cpuid`: leaf eax, subleaf ecx, to eax, ebx, ecx and edx.
  public mutating func cpuid(_ comment: String = "") { plain("cpuid", [0x0F, 0xA2], comment) }
  /// `rdmsr`: MSR ecx to edx:eax.
  public mutating func rdmsr(_ comment: String = "") { plain("rdmsr", [0x0F, 0x32], comment) }
  /// `wrmsr`: edx:eax to MSR ecx.
  public mutating func wrmsr(_ comment: String = "") { plain("wrmsr", [0x0F, 0x30], comment) }
  /// `int3`: the breakpoint exception.
  public mutating func int3(_ comment: String = "") { plain("int3", [0xCC], comment) }
  /// `ud2`: the invalid-opcode exception.
  public mutating func ud2(_ comment: String = "") { plain("ud2", [0x0F, 0x0B], comment) }
  /// `vmcall`: a call to the hypervisor on Intel processors.
  public mutating func vmcall(_ comment: String = "") { plain("vmcall", [0x0F, 0x01, 0xC1], comment) }
  /// `vmmcall`: a call to the hypervisor on AMD processors.
  public mutating func vmmcall(_ comment: String = "") { plain("vmmcall", [0x0F, 0x01, 0xD9], comment) }
  /// `clac`: clears RFLAGS.AC.
  public mutating func clac(_ comment: String = "") { plain("clac", [0x0F, 0x01, 0xCA], comment) }
  /// `stac`: sets RFLAGS.AC.
  public mutating func stac(_ comment: String = "") { plain("stac", [0x0F, 0x01, 0xCB], comment) }
  /// `wbinvd`: writes back and empties the caches.
  public mutating func wbinvd(_ comment: String = "") { plain("wbinvd", [0x0F, 0x09], comment) }
  /// `swapgs`: exchanges the gs base with IA32_KERNEL_GS_BASE; 64-bit code only.
  public mutating func swapgs(_ comment: String = "") { plain("swapgs", [0x0F, 0x01, 0xF8], in: [.bits64], comment) }
  /// `syscall`: fast call to ring 0; only AMD processors have it outside 64-bit code.
  public mutating func syscall(_ comment: String = "") { plain("syscall", [0x0F, 0x05], comment) }
  /// `sysret`: return from SYSCALL to 32-bit code; only AMD processors have it outside 64-bit code.
  public mutating func sysret(_ comment: String = "") { plain("sysret", [0x0F, 0x07], comment) }
  /// `sysenter`: fast call to ring 0; AMD processors have it outside long mode only.
  public mutating func sysenter(_ comment: String = "") { plain("sysenter", [0x0F, 0x34], comment) }
  /// `sysexit`: return from SYSENTER to 32-bit code.
  public mutating func sysexit(_ comment: String = "") { plain("sysexit", [0x0F, 0x35], comment) }
  /// `sysretq`: return from SYSCALL to 64-bit code; 64-bit code only.
  public mutating func sysretq(_ comment: String = "") { sized("sysretq", [0x0F, 0x07], .qword, [], comment) }
  /// `sysexitq`: return from SYSENTER to 64-bit code; 64-bit code only.
  public mutating func sysexitq(_ comment: String = "") { sized("sysexitq", [0x0F, 0x35], .qword, [], comment) }

  /// `int vector`: a software interrupt.
  public mutating func int(_ vector: UInt8, _ comment: String = "") {
    let operand = Operand.immediate(Immediate(vector, .byte), bytes: 1)
    emit(Instruction(name: "int", opcode: [0xCD], operands: [operand]), comment)
  }

  /// `lgdt memory`: limit and base of the global descriptor table; 16-bit code loads 24 bits of the base.
  public mutating func lgdt(_ table: Memory, _ comment: String = "") {
    memory("lgdt", [0x0F, 0x01], digit: 2, table, comment)
  }

  /// `lidt memory`: limit and base of the interrupt descriptor table; 16-bit code loads 24 bits of the base.
  public mutating func lidt(_ table: Memory, _ comment: String = "") {
    memory("lidt", [0x0F, 0x01], digit: 3, table, comment)
  }

  /// `ltr register`: the selector of the task state segment.
  public mutating func ltr(_ selector: Reg16, _ comment: String = "") {
    emit(
      Instruction(name: "ltr", opcode: [0x0F, 0x00], digit: 3, operands: [.rm(AnyRegister(selector))]), comment)
  }

  /// `invlpg memory`: forgets the translation of this page.
  public mutating func invlpg(_ page: Memory, _ comment: String = "") {
    memory("invlpg", [0x0F, 0x01], digit: 7, page, shown: "byte", comment)
  }
}
