// The forms of Assembler+Branches.swift, Assembler+System.swift and Assembler+Ports.swift.

import GuestImages

extension Form {
  static let branches: [Form] =
    each(Condition.allCases, "jcc(Condition, Label)") {
      $0.jcc($1, "target")
      $0.jcc($1, "ahead")
      $0.bind("ahead")
    }
    + each(Condition.allCases, "jcc(Reach, Condition, Label)") {
      $0.jcc(.short, $1, "ahead")
      $0.jcc(.near, $1, "target")
      $0.jcc(.near, $1, "ahead")
      $0.bind("ahead")
    }
    + each(Reg64.self, "jmp(R)") { $0.jmp($1) }
    + each(Reg32.self, "jmp(R)", in: .not64) { $0.jmp($1) }
    + each(Reg16.self, "jmp(R)", in: .not64) { $0.jmp($1) }
    + each(Reg64.self, "call(R)") { $0.call($1) }
    + each(Reg32.self, "call(R)", in: .not64) { $0.call($1) }
    + each(Reg16.self, "call(R)", in: .not64) { $0.call($1) }
    + [
      Form("jmp(Label)") {
        $0.jmp("target")
        $0.jmp("ahead")
        $0.bind("ahead")
      },
      Form("jmp(Reach, Label)") {
        $0.jmp(.short, "target")
        $0.jmp(.short, "ahead")
        $0.jmp(.near, "target")
        $0.bind("ahead")
      },
      Form("call(Label)") {
        $0.call("target")
        $0.call("ahead")
        $0.bind("ahead")
      },
      Form("loop(Label)") {
        $0.loop("target")
        $0.loop("ahead")
        $0.bind("ahead")
      },
      Form("jmp(Memory)") { $0.jmp(.at(.ebx, 8)) },
      Form("jmp(Memory)", in: .only64) { $0.jmp(.rip("target")) },
      Form("call(Memory)") { $0.call(.at(.ebx, 8)) },
      Form("call(Memory)", in: .only64) { $0.call(.at(.r11, index: .rax, scale: .x8)) },
      Form("jmpFar(UInt16, Label, OperandSize)", in: .not64) { $0.jmpFar(0x10, "target", offset: .word) },
      Form("jmpFar(UInt16, Label, OperandSize)", in: .not64) { $0.jmpFar(0x10, "target", offset: .dword) },
      Form("jmpFar(UInt16, Label, OperandSize)", in: []) { $0.jmpFar(0x10, "target", offset: .qword) },
      Form("jmpFar(OperandSize, Memory)") { $0.jmpFar(.word, .at(.ebx)) },
      Form("jmpFar(OperandSize, Memory)") { $0.jmpFar(.dword, .at(.ebx)) },
      Form("jmpFar(OperandSize, Memory)", in: .only64) { $0.jmpFar(.qword, .at(.rbx)) },
      Form("jmpFar(OperandSize, Memory)", in: []) { $0.jmpFar(.byte, .at(.ebx)) },
      Form("ret()") { $0.ret() },
      Form("retf()") { $0.retf() },
      Form("retfq()", in: .only64) { $0.retfq() },
      Form("iretw()") { $0.iretw() },
      Form("iretd()") { $0.iretd() },
      Form("iretq()", in: .only64) { $0.iretq() },
    ]

  static let system: [Form] = [
    Form("hlt()") { $0.hlt() },
    Form("cli()") { $0.cli() },
    Form("sti()") { $0.sti() },
    Form("cld()") { $0.cld() },
    Form("nop()") { $0.nop() },
    Form("pause()") { $0.pause() },
    Form("lfence()") { $0.lfence() },
    Form("mfence()") { $0.mfence() },
    Form("sfence()") { $0.sfence() },
    Form("rdtsc()") { $0.rdtsc() },
    Form("rdtscp()") { $0.rdtscp() },
    Form("cpuid()") { $0.cpuid() },
    Form("rdmsr()") { $0.rdmsr() },
    Form("wrmsr()") { $0.wrmsr() },
    Form("int3()") { $0.int3() },
    Form("ud2()") { $0.ud2() },
    Form("vmcall()") { $0.vmcall() },
    Form("vmmcall()") { $0.vmmcall() },
    Form("clac()") { $0.clac() },
    Form("stac()") { $0.stac() },
    Form("wbinvd()") { $0.wbinvd() },
    Form("syscall()") { $0.syscall() },
    Form("sysret()") { $0.sysret() },
    Form("sysenter()") { $0.sysenter() },
    Form("sysexit()") { $0.sysexit() },
    Form("swapgs()", in: .only64) { $0.swapgs() },
    Form("sysretq()", in: .only64) { $0.sysretq() },
    Form("sysexitq()", in: .only64) { $0.sysexitq() },
    Form("int(UInt8)") {
      $0.int(0x10)
      $0.int(0x80)
    },
    Form("lgdt(Memory)") { $0.lgdt(.absolute("target")) },
    Form("lgdt(Memory)") { $0.lgdt(.at(.ebx)) },
    Form("lgdt(Memory)", in: .only64) { $0.lgdt(.rip("target")) },
    Form("lidt(Memory)") { $0.lidt(.absolute("target")) },
    Form("lidt(Memory)") { $0.lidt(.at(.ebx)) },
    Form("lidt(Memory)", in: .only64) { $0.lidt(.rip("target")) },
    Form("invlpg(Memory)") { $0.invlpg(.absolute("target")) },
    Form("invlpg(Memory)") { $0.invlpg(.at(.ebx)) },
    Form("invlpg(Memory)", in: .only64) { $0.invlpg(.rip("target")) },
    Form("ltr(Reg16)") { $0.ltr(.ax) },
    Form("ltr(Reg16)", in: .only64) { $0.ltr(.r9w) },
  ]

  static let ports: [Form] =
    each(Accumulator.allCases, "in(Accumulator, UInt8)") {
      $0.in($1, 0x60)
      $0.in($1, 0xF4)
    }
    + each(Accumulator.allCases, "in(Accumulator, PortRegister)") { $0.in($1, .dx) }
    + each(Accumulator.allCases, "out(UInt8, Accumulator)") {
      $0.out(0x60, $1)
      $0.out(0xF4, $1)
    }
    + each(Accumulator.allCases, "out(PortRegister, Accumulator)") { $0.out(.dx, $1) }
    + StringOperation.allCases.flatMap { operation -> [Form] in
      let modes: Set<CodeMode> = operation.rawValue.hasSuffix("q") ? .only64 : .all
      return [
        Form("string(StringOperation)", in: modes) { $0.string(operation) },
        Form("rep(StringOperation)", in: modes) { $0.rep(operation) },
      ]
    }
}
