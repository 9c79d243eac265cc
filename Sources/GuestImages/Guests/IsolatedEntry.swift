// The entry `isolated`: a system call of February 2018, into a kernel that isolates its page tables from user mode
// because of Meltdown.
//
// It does what entry_SYSCALL_64 of Linux 4.15 and 4.16 did between SYSCALL and the kernel's C, and on the way back: it
// swaps GS, parks user mode's stack pointer, loads the kernel's CR3 without a flush (PCID, bit 63), takes the kernel's
// stack, saves fifteen registers and clears those that user mode could speculate with; then it restores them from the
// stack that exceptions arrive on, loads user mode's CR3 and swaps GS again. It leaves out the C code, the retpoline
// of the trampoline, the checks before SYSRET and the test whether user mode's PCID has to be flushed: each needs a
// handful of instructions that wait for nothing.
//
// SWAPGS changes IA32_KERNEL_GS_BASE, so a workload about that MSR needs another entry.
// Facts: Linux 4.16 arch/x86/entry/entry_64.S (entry_SYSCALL_64_trampoline, entry_SYSCALL_64_after_hwframe), calling.h
// (PUSH_AND_CLEAR_REGS, SWITCH_TO_KERNEL_CR3, SWITCH_TO_USER_CR3); Intel SDM vol. 3A, 4.10.1 (PCIDs) and 4.10.4.1 (bit
// 63 of MOV to CR3); vol. 2, SWAPGS.

import Registers

enum IsolatedEntry {
  /// In CR3: user mode's first table lies a page behind the kernel's, and its PCID has bit 11.
  static let userBits: UInt64 = 1 << 12 | 1 << 11
  /// CR3 in the kernel and in user mode, as it reads.
  static let kernelCR3 = Layout.isolatedPML4
  static let userCR3 = Layout.isolatedPML4 | userBits

  private static let noFlush: UInt8 = 63
  private static let pcidEnable: UInt8 = 17
  private static let userStackPointer = Memory.absolute(Layout.entryWords)
  private static let kernelStackTop = Memory.absolute(Layout.entryWords + 8)
  /// RSP0 in the TSS.
  private static let entryStackTop = Memory.absolute(Layout.tss + 4)

  /// The memory contents of this entry, in addition to those of every guest.
  static func contents(kernelText: Range<UInt64>) -> [MemoryImage] {
    PageTables.isolated(kernelText: kernelText) + [
      MemoryImage(address: Layout.entryWords, words: [0, Layout.isolatedStackTop])
    ]
  }

  /// The kernel takes its own table, and turns PCIDs on; a #GP here says that the guest has none.
  static func emitBoot(_ asm: inout Assembler) {
    asm.mov(.eax, kernelCR3, "the kernel's tables")
    asm.mov(.cr3, .rax)
    asm.mov(.rax, .cr4)
    asm.bts(.rax, pcidEnable, "PCIDE")
    asm.mov(.cr4, .rax)
  }

  /// Loads user mode's CR3.
  static func emitUserCR3(_ asm: inout Assembler, by register: Reg64) {
    asm.mov(register, .cr3)
    asm.bts(register, noFlush, "what is cached stays")
    asm.or(register, userBits)
    asm.mov(.cr3, register, "user mode's tables")
  }

  /// A register that is saved, in the order of struct pt_regs from its end.
  private static let saved: [Reg64] = [
    .rdi, .rsi, .rdx, .rcx, .rax, .r8, .r9, .r10, .r11, .rbx, .rbp, .r12, .r13, .r14, .r15,
  ]
  /// Those that hold nothing of the kernel's.
  private static let cleared: [Reg32] = [.esi, .edx, .ecx, .r8d, .r9d, .r10d, .r11d, .ebx, .ebp, .r15d]

  /// Where a register is in the frame while the body runs.
  private static func slot(_ register: Reg64) -> Memory {
    .at(.rsp, (saved.count - 1 - (saved.firstIndex(of: register) ?? 0)) * 8)
  }

  /// The way in, the count of entries, the body, the way back.
  static func emitHandler(_ asm: inout Assembler, body: ((inout Assembler) -> Void)?) {
    asm.swapgs()
    asm.mov(userStackPointer, .rsp)
    asm.mov(.rsp, .cr3, "RSP is free now")
    asm.bts(.rsp, noFlush, "what is cached stays")
    asm.and(.rsp, ~Int64(userBits))
    asm.mov(.cr3, .rsp, "the kernel's tables")
    asm.mov(.rsp, kernelStackTop)
    asm.push(Selector.userData, "SS")
    asm.push(userStackPointer, "RSP")
    asm.push(.r11, "RFLAGS")
    asm.push(Selector.userCode64, "CS")
    asm.push(.rcx, "RIP")
    asm.push(.rax, "the number of the system call")
    for register in saved { asm.push(register) }
    for register in cleared { asm.xor(register, register) }
    asm.add(.qword, slot(.r13), 1, "counts the entry")
    if let body {
      body(&asm)
      asm.mov(slot(.r12), .r12, "the workload's own")
      asm.mov(slot(.r14), .r14)
    }
    // The frame behind the registers: the call's number, RIP, CS, RFLAGS, RSP, SS.
    let behind = saved.count * 8
    asm.mov(.rcx, .at(.rsp, behind + 8), "RIP, where SYSRET takes it from")
    asm.mov(.r11, .at(.rsp, behind + 24), "RFLAGS, too")
    for register in saved.dropFirst().reversed() {
      // SYSRET has these two already.
      asm.pop([.rcx, .r11].contains(register) ? .rsi : register)
    }
    asm.mov(.rdi, .rsp)
    asm.mov(.rsp, entryStackTop, "a stack that both tables have")
    asm.push(.at(.rdi, 8 + 32), "user mode's RSP")
    asm.push(.at(.rdi), "and RDI")
    emitUserCR3(&asm, by: .rdi)
    asm.pop(.rdi)
    asm.pop(.rsp)
    asm.swapgs()
    asm.sysretq("back to ring 3")
  }
}
