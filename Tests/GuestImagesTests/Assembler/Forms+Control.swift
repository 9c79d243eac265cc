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
      Form("ret()") { $0.ret() },
      Form("retf()") { $0.retf() },
      Form("iretw()") { $0.iretw() },
      Form("iretq()", in: .only64) { $0.iretq() },
    ]

  static let system: [Form] = [
    Form("hlt()") { $0.hlt() },
    Form("sti()") { $0.sti() },
    Form("cld()") { $0.cld() },
    Form("nop()") { $0.nop() },
    Form("pause()") { $0.pause() },
    Form("lfence()") { $0.lfence() },
    Form("rdtsc()") { $0.rdtsc() },
    Form("cpuid()") { $0.cpuid() },
    Form("rdmsr()") { $0.rdmsr() },
    Form("wrmsr()") { $0.wrmsr() },
    Form("int3()") { $0.int3() },
    Form("ud2()") { $0.ud2() },
    Form("syscall()") { $0.syscall() },
    Form("sysenter()") { $0.sysenter() },
    Form("sysexit()") { $0.sysexit() },
    Form("swapgs()", in: .only64) { $0.swapgs() },
    Form("sysretq()", in: .only64) { $0.sysretq() },
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
