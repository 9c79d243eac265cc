// The forms of Assembler+Moves.swift, and every memory operand.

import GuestImages

extension Form {
  static let moves: [Form] =
    each(Reg64.self, "mov(R, R)") { $0.mov($1, .rdx) }
    + each(Reg32.self, "mov(R, R)") { $0.mov($1, .edx) }
    + each(Reg16.self, "mov(R, R)") { $0.mov($1, .dx) }
    + each(Reg8.self, "mov(R, R)") { $0.mov($1, .dl) }
    + each(Reg64.self, "mov(R, R)") { $0.mov(.rsi, $1) }
    + each(Reg32.self, "mov(R, R)") { $0.mov(.esi, $1) }
    + each(Reg16.self, "mov(R, R)") { $0.mov(.si, $1) }
    + each(Reg8.self, "mov(R, R)") { $0.mov(.cl, $1) }
    + each(boundaries(64), "mov(R, some BinaryInteger)", in: .only64) { $0.mov(.r9, $1) }
    + each(boundaries(32), "mov(R, some BinaryInteger)") { $0.mov(.ecx, $1) }
    + each(boundaries(16), "mov(R, some BinaryInteger)") { $0.mov(.cx, $1) }
    + each(boundaries(8), "mov(R, some BinaryInteger)") { $0.mov(.cl, $1) }
    + each(Reg64.self, "mov(R, some BinaryInteger)") { $0.mov($1, 1) }
    + each(Reg64.self, "mov(R, some BinaryInteger)") { $0.mov($1, -1) }
    + each(Reg64.self, "mov(R, some BinaryInteger)") { $0.mov($1, 0x1234_5678_9ABC) }
    + each(Reg32.self, "mov(R, some BinaryInteger)") { $0.mov($1, 1) }
    + each(Reg16.self, "mov(R, some BinaryInteger)") { $0.mov($1, 1) }
    + each(Reg8.self, "mov(R, some BinaryInteger)") { $0.mov($1, 1) }
    + each(Reg64.self, "mov(R, Label)") { $0.mov($1, "target") }
    + each(Reg32.self, "mov(R, Label)") { $0.mov($1, "target") }
    + each(Reg16.self, "mov(R, Label)") { $0.mov($1, "target") }
    + each(Reg64.self, "mov(R, Memory)") { $0.mov($1, .at(.rbx)) }
    + each(Reg32.self, "mov(R, Memory)") { $0.mov($1, .at(.ebx)) }
    + each(Reg16.self, "mov(R, Memory)") { $0.mov($1, .at(.ebx)) }
    + each(Reg8.self, "mov(R, Memory)") { $0.mov($1, .at(.ebx)) }
    + each(Reg64.self, "mov(Memory, R)") { $0.mov(.at(.rbx), $1) }
    + each(Reg32.self, "mov(Memory, R)") { $0.mov(.at(.ebx), $1) }
    + each(Reg16.self, "mov(Memory, R)") { $0.mov(.at(.ebx), $1) }
    + each(Reg8.self, "mov(Memory, R)") { $0.mov(.at(.ebx), $1) }
    + storedConstants + conversions

  private static let storedConstants: [Form] = {
    let signature = "mov(OperandSize, Memory, some BinaryInteger)"
    return each(boundaries(8), signature) { $0.mov(.byte, .at(.ebx), $1) }
      + each(boundaries(16), signature) { $0.mov(.word, .at(.ebx), $1) }
      + each(boundaries(32), signature) { $0.mov(.dword, .at(.ebx), $1) }
      + each(signedBoundaries, signature, in: .only64) { $0.mov(.qword, .at(.rbx), $1) }
      + [Form(signature, in: .only64) { $0.mov(.dword, .rip("target", 4), 0x1234_5678) }]
  }()

  private static let conversions: [Form] =
    each(Reg8.self, "movzx(some WideRegister, R)") { $0.movzx(.ebp, $1) }
    + each(Reg16.self, "movzx(some WideRegister, R)") { $0.movzx(.ebp, $1) }
    + each(Reg64.self, "movzx(some WideRegister, R)") { $0.movzx($1, .cx) }
    + each(Reg16.self, "movzx(some WideRegister, R)") { $0.movzx($1, .cl) }
    + each(Reg32.self, "movzx(some WideRegister, OperandSize, Memory)") { $0.movzx($1, .byte, .at(.esi, 1)) }
    + each(Reg32.self, "movzx(some WideRegister, OperandSize, Memory)") { $0.movzx($1, .word, .at(.esi, 1)) }
    + each(Reg64.self, "movzx(some WideRegister, OperandSize, Memory)") { $0.movzx($1, .word, .at(.rsi, 1)) }

  static let stack: [Form] =
    each(Reg64.self, "push(R)") { $0.push($1) }
    + each(Reg32.self, "push(R)", in: .not64) { $0.push($1) }
    + each(Reg16.self, "push(R)") { $0.push($1) }
    + each(Reg64.self, "pop(R)") { $0.pop($1) }
    + each(Reg32.self, "pop(R)", in: .not64) { $0.pop($1) }
    + each(Reg16.self, "pop(R)") { $0.pop($1) }
    + each(boundaries(16), "push(some BinaryInteger)") { $0.push($1) }
    + each(
      signedBoundaries.filter { !(-0x8000...0xFFFF).contains($0) }, "push(some BinaryInteger)", in: [.bits32, .bits64]
    ) { $0.push($1) }
    + [
      Form("push(Memory)") { $0.push(.at(.ebx, 8)) },
      Form("push(Memory)", in: .only64) { $0.push(.at(.r13, 8)) },
      Form("pop(Memory)") { $0.pop(.at(.ebx, 8)) },
      Form("pop(Memory)", in: .only64) { $0.pop(.at(.r12, 8)) },
      Form("pushf()") { $0.pushf() },
    ]

  static let specialRegisters: [Form] =
    each(SegmentRegister.allCases.filter { $0 != .cs }, "mov(SegmentRegister, R)") {
      $0.mov($1, .ax)
      $0.mov($1, .esi)
    }
    + each(SegmentRegister.allCases, "mov(R, SegmentRegister)") {
      $0.mov(.ax, $1)
      $0.mov(.esi, $1)
    }
    + each(Reg64.self, "mov(SegmentRegister, R)") { $0.mov(.fs, $1) }
    + each(Reg64.self, "mov(R, SegmentRegister)") { $0.mov($1, .gs) }
    + each(ControlRegister.allCases, "mov(ControlRegister, R)", in: .not64) { $0.mov($1, .ebx) }
    + each(ControlRegister.allCases, "mov(R, ControlRegister)", in: .not64) { $0.mov(.ebx, $1) }
    + each(ControlRegister.allCases, "mov(ControlRegister, R)", in: .only64) { $0.mov($1, .r9) }
    + each(ControlRegister.allCases, "mov(R, ControlRegister)", in: .only64) { $0.mov(.r9, $1) }
    + each(DebugRegister.allCases, "mov(DebugRegister, R)", in: .not64) { $0.mov($1, .ebx) }
    + each(DebugRegister.allCases, "mov(R, DebugRegister)", in: .not64) { $0.mov(.ebx, $1) }
    + each(DebugRegister.allCases, "mov(DebugRegister, R)", in: .only64) { $0.mov($1, .r9) }
    + each(DebugRegister.allCases, "mov(R, DebugRegister)", in: .only64) { $0.mov(.r9, $1) }
}
