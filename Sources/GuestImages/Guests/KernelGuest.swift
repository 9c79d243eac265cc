// The 64-bit guest around every workload: a kernel that boots and enters user mode, and user code that enters the
// kernel again and again and takes the time.
//
// Registers, by agreement between both sides (user code may be 32-bit, so it uses the low halves only):
//   RBX the sample record, RBP the iterations left, RDI the samples left, R13 the kernel entries so far;
//   R12 and R14 are the workload's own; RAX, RCX, RDX, and R8 to R11 are free for the kernel;
//   user code counts its branches in RSI.
// Facts: Intel SDM vol. 2, SYSCALL (RCX = RIP, R11 = RFLAGS), SYSENTER and SYSEXIT (EDX = EIP, ECX = ESP).

import Registers

struct KernelGuest {
  let workload: Workload
  let entry: Entry

  private static let leafLimit = 7
  private static let amdLeaf: UInt32 = 0x8000_0008
  private static let archCapabilitiesBit: UInt8 = 29

  func image() throws -> GuestImage {
    let user = entry == .none ? nil : try userProgram()
    let kernel = try kernelProgram(user: user)
    guard kernel.origin + UInt64(kernel.bytes.count) <= Layout.kernelTextEnd else {
      throw GuestImageError.tooLong("kernel")
    }
    let handlers = (0..<DescriptorTables.vectorCount).map { vector -> UInt64 in
      let label = vector == entry.vector ? "entry" : FaultHandlers.label(vector)
      return kernel.labels[label] ?? 0
    }
    var programs = [(title: "kernel, ring 0", program: kernel)]
    if let user { programs.append((title: "user, ring 3", program: user)) }
    let text = kernel.origin..<kernel.origin + UInt64(kernel.bytes.count)
    return GuestImage(
      workload: workload, entry: entry,
      contents: [
        PageTables.image(mappingDevice: workload.perIteration.stores > 0), DescriptorTables.gdt, DescriptorTables.tss,
        DescriptorTables.idt(handlers: handlers),
      ] + (entry == .isolated ? IsolatedEntry.contents(kernelText: text) : [])
        + programs.map { MemoryImage(address: $0.program.origin, bytes: $0.program.bytes) },
      start: .kernel, programs: programs)
  }

  // MARK: User mode

  private func userProgram() throws -> Program {
    var asm = Assembler(origin: Layout.userText, mode: entry.userMode)
    asm.bind("user", "ring 3 begins here")
    emitSamples(&asm, pause: { $0.hlt("not allowed in ring 3: the #GP tells the kernel to pause") }) { asm in
      emitUserBranches(&asm)
      switch entry {
      case .syscall, .isolated: asm.syscall("into the kernel")
      case .sysenter: asm.sysenter("into the kernel")
      case .breakpoint: asm.int3("into the kernel")
      case .undefined: asm.ud2("into the kernel")
      case .none: break
      }
      asm.bind("resume", "the kernel returns here")
    }
    asm.bind("finished")
    asm.hlt("not allowed in ring 3: the #GP tells the kernel that all is done")
    let program = try asm.assemble()
    guard program.origin + UInt64(program.bytes.count) <= Layout.userTextEnd else {
      throw GuestImageError.tooLong("user code")
    }
    return program
  }

  /// Indirect jumps to one target, which are predicted where prediction is allowed.
  private func emitUserBranches(_ asm: inout Assembler) {
    guard workload.userBranches > 0 else { return }
    asm.mov(.esi, UInt32(workload.userBranches), "the number of indirect branches")
    asm.bind("branch")
    if entry.userMode == .bits64 {
      asm.mov(.rax, "landed")
      asm.jmp(.rax)
    } else {
      asm.mov(.eax, "landed")
      asm.jmp(.eax)
    }
    asm.bind("landed")
    asm.dec(.esi)
    asm.jcc(.notZero, "branch")
  }

  /// The loop over samples and iterations, with a time stamp before and after each sample.
  private func emitSamples(
    _ asm: inout Assembler, pause: (inout Assembler) -> Void, iteration: (inout Assembler) -> Void
  ) {
    let isLong = asm.mode == .bits64
    func record(_ offset: Int) -> Memory { isLong ? .at(.rbx, offset) : .at(.ebx, offset) }
    func stamp(_ asm: inout Assembler, _ offset: Int, _ comment: String) {
      asm.lfence()
      asm.rdtsc(comment)
      asm.lfence()
      asm.mov(record(offset), .eax)
      asm.mov(record(offset + 4), .edx)
    }
    asm.bind("sample")
    asm.cmp(.dword, record(SampleRecord.Offset.pause), 0, "does the VMM want a pause?")
    asm.jcc(.equal, "timed")
    asm.bind("pause")
    pause(&asm)
    asm.bind("timed")
    asm.mov(.ebp, record(SampleRecord.Offset.iterations), "the number of iterations, from the VMM")
    stamp(&asm, SampleRecord.Offset.start, "the time before")
    asm.bind("iteration")
    iteration(&asm)
    asm.dec(.ebp)
    asm.jcc(.notZero, "iteration")
    stamp(&asm, SampleRecord.Offset.end, "the time after")
    asm.add(.ebx, SampleRecord.size, "the next record")
    asm.dec(.edi)
    asm.jcc(.notZero, "sample")
  }

  // MARK: Kernel

  private func kernelProgram(user: Program?) throws -> Program {
    var asm = Assembler(origin: Layout.kernelText, mode: .bits64)
    asm.bind("boot", "ring 0 begins here, in 64-bit mode")
    emitReport(&asm)
    emitEntrySetup(&asm)
    workload.boot(&asm)
    asm.mov(.edi, mailbox(Mailbox.Offset.samples), "the number of samples, from the VMM")
    asm.mov(.ebx, Layout.samples, "the first record")
    asm.xor(.r13d, .r13d, "no kernel entry yet")
    if let user {
      emitEnterUser(&asm, at: user.labels["user"] ?? 0)
      asm.bind("entry", "the kernel's entry from ring 3")
      emitHandler(&asm, resume: user.labels["resume"] ?? 0)
    } else {
      emitSamples(&asm, pause: { $0.out(Port.pause, .al, "the VMM may save or move the guest here") }) { asm in
        asm.inc(.r13d, "counts the iteration")
        workload.body?(&asm)
      }
    }
    asm.bind("done")
    if entry == .isolated {
      asm.mov(.rax, .cr3, "user mode's, by whose #GP it comes here")
      asm.mov(mailbox(Mailbox.Offset.userCR3), .rax)
    }
    asm.mov(mailbox(Mailbox.Offset.kernelEntries), .r13)
    asm.mov(.dword, mailbox(Mailbox.Offset.state), Mailbox.State.done.rawValue)
    asm.out(Port.doorbell, .al, "the VMM takes over")
    asm.hlt()
    workload.routines(&asm)
    FaultHandlers.emit(&asm, finished: user?.labels["finished"], pause: user?.labels["pause"])
    return try asm.assemble()
  }

  private func mailbox(_ offset: Int) -> Memory { .absolute(Layout.mailbox + UInt64(offset)) }

  /// Writes the guest's view of SPEC_CTRL in CPUID and IA32_ARCH_CAPABILITIES to the mailbox.
  private func emitReport(_ asm: inout Assembler) {
    asm.mov(.dword, mailbox(Mailbox.Offset.state), Mailbox.State.running.rawValue)
    asm.mov(.eax, Self.amdLeaf & 0xf000_0000)
    asm.cpuid("the highest extended leaf")
    asm.cmp(.eax, Self.amdLeaf)
    asm.jcc(.below, "noAMDLeaf")
    asm.mov(.eax, Self.amdLeaf)
    asm.cpuid("AMD's IBPB, IBRS, STIBP, SSBD")
    asm.mov(mailbox(Mailbox.Offset.amdLeafEBX), .ebx)
    asm.bind("noAMDLeaf")
    asm.xor(.eax, .eax)
    asm.cpuid("the highest leaf")
    asm.cmp(.eax, Self.leafLimit)
    asm.jcc(.below, "reported")
    asm.mov(.eax, Self.leafLimit)
    asm.xor(.ecx, .ecx)
    asm.cpuid("leaf 7, subleaf 0: SPEC_CTRL, STIBP, SSBD")
    asm.mov(mailbox(Mailbox.Offset.leaf7EDX), .edx)
    asm.mov(.esi, .edx)
    asm.cmp(.eax, 2, "the highest subleaf")
    asm.jcc(.below, "noSubleaf2")
    asm.mov(.eax, Self.leafLimit)
    asm.mov(.ecx, 2)
    asm.cpuid("leaf 7, subleaf 2: PSFD, IPRED, RRSBA, DDPD, BHI")
    asm.mov(mailbox(Mailbox.Offset.leaf7Subleaf2EDX), .edx)
    asm.bind("noSubleaf2")
    asm.bt(.esi, Self.archCapabilitiesBit, "is there an IA32_ARCH_CAPABILITIES?")
    asm.jcc(.notCarry, "reported")
    asm.mov(.ecx, MSR.archCapabilities.rawValue, "\(MSR.archCapabilities)")
    asm.rdmsr()
    asm.mov(mailbox(Mailbox.Offset.archCapabilities), .eax)
    asm.mov(mailbox(Mailbox.Offset.archCapabilities + 4), .edx)
    asm.bind("reported")
  }

  /// Sets the MSRs that the entry needs.
  private func emitEntrySetup(_ asm: inout Assembler) {
    /// WRMSR of a label's address.
    func write(_ msr: MSR, _ label: Label, _ comment: String) {
      asm.mov(.ecx, msr.rawValue, comment)
      asm.mov(.eax, label)
      asm.xor(.edx, .edx)
      asm.wrmsr()
    }
    if entry == .isolated { IsolatedEntry.emitBoot(&asm) }
    switch entry {
    case .syscall, .isolated:
      asm.writeMSR(.star, Selector.star, "\(MSR.star): the selectors of SYSCALL and SYSRET")
      write(.lstar, "entry", "\(MSR.lstar): where SYSCALL goes")
      asm.writeMSR(.fmask, 0x200, "\(MSR.fmask): no interrupts in the kernel")
    case .sysenter:
      asm.writeMSR(.sysenterCS, Selector.sysenterCS, "\(MSR.sysenterCS)")
      asm.writeMSR(.sysenterESP, Layout.kernelStackTop, "\(MSR.sysenterESP)")
      write(.sysenterEIP, "entry", "\(MSR.sysenterEIP): where SYSENTER goes")
    case .breakpoint, .undefined, .none: break
    }
  }

  private func emitEnterUser(_ asm: inout Assembler, at user: UInt64) {
    if entry.userMode == .bits32 {
      // IRET to ring 3 clears data segments that ring 3 may not use, and 32-bit code, unlike 64-bit code, needs them.
      asm.mov(.eax, Selector.userData)
      asm.mov(.ds, .eax)
      asm.mov(.es, .eax)
    }
    asm.push(Selector.userData, "SS")
    asm.push(Layout.userStackTop, "RSP")
    asm.push(0x202, "RFLAGS: interrupts on")
    asm.push(entry.userCode, "CS: ring 3")
    asm.push(user, "RIP")
    if entry == .isolated { IsolatedEntry.emitUserCR3(&asm, by: .rax) }
    asm.iretq("into user mode")
  }

  /// The code that runs at each entry: the count, the workload's body, and the way back.
  private func emitHandler(_ asm: inout Assembler, resume: UInt64) {
    if entry == .isolated { return IsolatedEntry.emitHandler(&asm, body: workload.body) }
    asm.inc(.r13d, "counts the entry")
    if let body = workload.body {
      if entry == .syscall {
        asm.mov(.r10, .rcx, "SYSCALL left the return address in RCX")
        if workload.needsStack {
          asm.mov(.r9, .rsp, "SYSCALL does not switch the stack")
          asm.mov(.esp, Layout.kernelStackTop)
        }
      }
      body(&asm)
      if entry == .syscall {
        if workload.needsStack { asm.mov(.rsp, .r9) }
        asm.mov(.rcx, .r10)
      }
    }
    switch entry {
    case .syscall: asm.sysretq("back to ring 3")
    case .sysenter:
      asm.mov(.edx, resume, "EIP")
      asm.mov(.ecx, Layout.userStackTop, "ESP")
      asm.sysexit("back to ring 3")
    case .breakpoint: asm.iretq("back to ring 3, after the INT3")
    case .undefined:
      asm.add(.qword, .at(.rsp), 2, "steps over the UD2")
      asm.iretq("back to ring 3")
    case .none, .isolated: break
    }
  }
}
