// System instructions: flags, fences, counters, MSRs, system calls (Intel SDM vol. 2;
// SYSCALL outside 64-bit mode: AMD64 APM vol. 3).

extension Assembler {
  /// `hlt`: stops until an interrupt.
  public mutating func hlt(_ comment: String = "") { plain("hlt", [0xF4], comment) }
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
  /// `rdtsc`: the time-stamp counter, to edx:eax.
  public mutating func rdtsc(_ comment: String = "") { plain("rdtsc", [0x0F, 0x31], comment) }
  /// `cpuid`: leaf eax, subleaf ecx, to eax, ebx, ecx and edx.
  public mutating func cpuid(_ comment: String = "") { plain("cpuid", [0x0F, 0xA2], comment) }
  /// `rdmsr`: MSR ecx to edx:eax.
  public mutating func rdmsr(_ comment: String = "") { plain("rdmsr", [0x0F, 0x32], comment) }
  /// `wrmsr`: edx:eax to MSR ecx.
  public mutating func wrmsr(_ comment: String = "") { plain("wrmsr", [0x0F, 0x30], comment) }
  /// `swapgs`: GS's base and IA32_KERNEL_GS_BASE change places; 64-bit code only.
  public mutating func swapgs(_ comment: String = "") {
    emit(Instruction(name: "swapgs", opcode: [0x0F, 0x01, 0xF8], width: .native(.qword)), comment)
  }
  /// `int3`: the breakpoint exception.
  public mutating func int3(_ comment: String = "") { plain("int3", [0xCC], comment) }
  /// `ud2`: the invalid-opcode exception.
  public mutating func ud2(_ comment: String = "") { plain("ud2", [0x0F, 0x0B], comment) }
  /// `syscall`: fast call to ring 0; only AMD processors have it outside 64-bit code.
  public mutating func syscall(_ comment: String = "") { plain("syscall", [0x0F, 0x05], comment) }
  /// `sysenter`: fast call to ring 0; AMD processors have it outside long mode only.
  public mutating func sysenter(_ comment: String = "") { plain("sysenter", [0x0F, 0x34], comment) }
  /// `sysexit`: return from SYSENTER to 32-bit code.
  public mutating func sysexit(_ comment: String = "") { plain("sysexit", [0x0F, 0x35], comment) }
  /// `sysretq`: return from SYSCALL to 64-bit code; 64-bit code only.
  public mutating func sysretq(_ comment: String = "") { sized("sysretq", [0x0F, 0x07], .qword, [], comment) }
}
