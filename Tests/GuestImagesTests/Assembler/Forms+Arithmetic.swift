// The forms of Assembler+Arithmetic.swift: each operation in each shape, and ADD with every register and boundary.

import GuestImages

extension Form {
  static let arithmetic: [Form] =
    everyRegister + everyConstant + operations + locked

  private static let everyRegister: [Form] =
    each(Reg64.self, "add(R, R)") { $0.add($1, .rdx) }
    + each(Reg32.self, "add(R, R)") { $0.add($1, .edx) }
    + each(Reg16.self, "add(R, R)") { $0.add($1, .dx) }
    + each(Reg8.self, "add(R, R)") { $0.add($1, .dl) }
    + each(Reg64.self, "add(R, R)") { $0.add(.rdi, $1) }
    + each(Reg32.self, "add(R, R)") { $0.add(.edi, $1) }
    + each(Reg16.self, "add(R, R)") { $0.add(.di, $1) }
    + each(Reg8.self, "add(R, R)") { $0.add(.bl, $1) }

  private static let everyConstant: [Form] =
    each(signedBoundaries, "add(R, some BinaryInteger)", in: .only64) { $0.add(.r9, $1) }
    + each(boundaries(32), "add(R, some BinaryInteger)") { $0.add(.ecx, $1) }
    + each(boundaries(16), "add(R, some BinaryInteger)") { $0.add(.cx, $1) }
    + each(boundaries(8), "add(R, some BinaryInteger)") { $0.add(.cl, $1) }
    + each(signedBoundaries, "add(OperandSize, Memory, some BinaryInteger)", in: .only64) {
      $0.add(.qword, .at(.r13), $1)
    }
    + each(boundaries(32), "add(OperandSize, Memory, some BinaryInteger)") { $0.add(.dword, .at(.ecx, 4), $1) }
    + each(boundaries(16), "add(OperandSize, Memory, some BinaryInteger)") { $0.add(.word, .at(.ecx, 4), $1) }
    + each(boundaries(8), "add(OperandSize, Memory, some BinaryInteger)") { $0.add(.byte, .at(.ecx, 4), $1) }

  private static let operations: [Form] = [
    Form("add(R, R)") { $0.add(.ebx, .ebp) },
    Form("add(R, R)", in: .only64) { $0.add(.r8, .rax) },
    Form("add(R, some BinaryInteger)") { $0.add(.esi, 0x1234) },
    Form("add(R, some BinaryInteger)", in: .only64) { $0.add(.r11, -1) },
    Form("add(R, Memory)") { $0.add(.dl, .at(.esi)) },
    Form("add(R, Memory)", in: .only64) { $0.add(.r14, .at(.rsp, 8)) },
    Form("add(Memory, R)") { $0.add(.at(.edi), .si) },
    Form("add(Memory, R)", in: .only64) { $0.add(.at(.r12), .sil) },
    Form("add(OperandSize, Memory, some BinaryInteger)") { $0.add(.dword, .at(.ebp), 0x80) },
    Form("add(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.add(.qword, .at(.r13), 0x7F) },
    Form("or(R, R)") { $0.or(.ebx, .ebp) },
    Form("or(R, R)", in: .only64) { $0.or(.r8, .rax) },
    Form("or(R, some BinaryInteger)") { $0.or(.esi, 0x1234) },
    Form("or(R, some BinaryInteger)", in: .only64) { $0.or(.r11, -1) },
    Form("or(R, Memory)") { $0.or(.dl, .at(.esi)) },
    Form("or(R, Memory)", in: .only64) { $0.or(.r14, .at(.rsp, 8)) },
    Form("or(Memory, R)") { $0.or(.at(.edi), .si) },
    Form("or(Memory, R)", in: .only64) { $0.or(.at(.r12), .sil) },
    Form("or(OperandSize, Memory, some BinaryInteger)") { $0.or(.dword, .at(.ebp), 0x80) },
    Form("or(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.or(.qword, .at(.r13), 0x7F) },
    Form("adc(R, R)") { $0.adc(.ebx, .ebp) },
    Form("adc(R, R)", in: .only64) { $0.adc(.r8, .rax) },
    Form("adc(R, some BinaryInteger)") { $0.adc(.esi, 0x1234) },
    Form("adc(R, some BinaryInteger)", in: .only64) { $0.adc(.r11, -1) },
    Form("adc(R, Memory)") { $0.adc(.dl, .at(.esi)) },
    Form("adc(R, Memory)", in: .only64) { $0.adc(.r14, .at(.rsp, 8)) },
    Form("adc(Memory, R)") { $0.adc(.at(.edi), .si) },
    Form("adc(Memory, R)", in: .only64) { $0.adc(.at(.r12), .sil) },
    Form("adc(OperandSize, Memory, some BinaryInteger)") { $0.adc(.dword, .at(.ebp), 0x80) },
    Form("adc(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.adc(.qword, .at(.r13), 0x7F) },
    Form("sbb(R, R)") { $0.sbb(.ebx, .ebp) },
    Form("sbb(R, R)", in: .only64) { $0.sbb(.r8, .rax) },
    Form("sbb(R, some BinaryInteger)") { $0.sbb(.esi, 0x1234) },
    Form("sbb(R, some BinaryInteger)", in: .only64) { $0.sbb(.r11, -1) },
    Form("sbb(R, Memory)") { $0.sbb(.dl, .at(.esi)) },
    Form("sbb(R, Memory)", in: .only64) { $0.sbb(.r14, .at(.rsp, 8)) },
    Form("sbb(Memory, R)") { $0.sbb(.at(.edi), .si) },
    Form("sbb(Memory, R)", in: .only64) { $0.sbb(.at(.r12), .sil) },
    Form("sbb(OperandSize, Memory, some BinaryInteger)") { $0.sbb(.dword, .at(.ebp), 0x80) },
    Form("sbb(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.sbb(.qword, .at(.r13), 0x7F) },
    Form("and(R, R)") { $0.and(.ebx, .ebp) },
    Form("and(R, R)", in: .only64) { $0.and(.r8, .rax) },
    Form("and(R, some BinaryInteger)") { $0.and(.esi, 0x1234) },
    Form("and(R, some BinaryInteger)", in: .only64) { $0.and(.r11, -1) },
    Form("and(R, Memory)") { $0.and(.dl, .at(.esi)) },
    Form("and(R, Memory)", in: .only64) { $0.and(.r14, .at(.rsp, 8)) },
    Form("and(Memory, R)") { $0.and(.at(.edi), .si) },
    Form("and(Memory, R)", in: .only64) { $0.and(.at(.r12), .sil) },
    Form("and(OperandSize, Memory, some BinaryInteger)") { $0.and(.dword, .at(.ebp), 0x80) },
    Form("and(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.and(.qword, .at(.r13), 0x7F) },
    Form("sub(R, R)") { $0.sub(.ebx, .ebp) },
    Form("sub(R, R)", in: .only64) { $0.sub(.r8, .rax) },
    Form("sub(R, some BinaryInteger)") { $0.sub(.esi, 0x1234) },
    Form("sub(R, some BinaryInteger)", in: .only64) { $0.sub(.r11, -1) },
    Form("sub(R, Memory)") { $0.sub(.dl, .at(.esi)) },
    Form("sub(R, Memory)", in: .only64) { $0.sub(.r14, .at(.rsp, 8)) },
    Form("sub(Memory, R)") { $0.sub(.at(.edi), .si) },
    Form("sub(Memory, R)", in: .only64) { $0.sub(.at(.r12), .sil) },
    Form("sub(OperandSize, Memory, some BinaryInteger)") { $0.sub(.dword, .at(.ebp), 0x80) },
    Form("sub(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.sub(.qword, .at(.r13), 0x7F) },
    Form("xor(R, R)") { $0.xor(.ebx, .ebp) },
    Form("xor(R, R)", in: .only64) { $0.xor(.r8, .rax) },
    Form("xor(R, some BinaryInteger)") { $0.xor(.esi, 0x1234) },
    Form("xor(R, some BinaryInteger)", in: .only64) { $0.xor(.r11, -1) },
    Form("xor(R, Memory)") { $0.xor(.dl, .at(.esi)) },
    Form("xor(R, Memory)", in: .only64) { $0.xor(.r14, .at(.rsp, 8)) },
    Form("xor(Memory, R)") { $0.xor(.at(.edi), .si) },
    Form("xor(Memory, R)", in: .only64) { $0.xor(.at(.r12), .sil) },
    Form("xor(OperandSize, Memory, some BinaryInteger)") { $0.xor(.dword, .at(.ebp), 0x80) },
    Form("xor(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.xor(.qword, .at(.r13), 0x7F) },
    Form("cmp(R, R)") { $0.cmp(.ebx, .ebp) },
    Form("cmp(R, R)", in: .only64) { $0.cmp(.r8, .rax) },
    Form("cmp(R, some BinaryInteger)") { $0.cmp(.esi, 0x1234) },
    Form("cmp(R, some BinaryInteger)", in: .only64) { $0.cmp(.r11, -1) },
    Form("cmp(R, Memory)") { $0.cmp(.dl, .at(.esi)) },
    Form("cmp(R, Memory)", in: .only64) { $0.cmp(.r14, .at(.rsp, 8)) },
    Form("cmp(Memory, R)") { $0.cmp(.at(.edi), .si) },
    Form("cmp(Memory, R)", in: .only64) { $0.cmp(.at(.r12), .sil) },
    Form("cmp(OperandSize, Memory, some BinaryInteger)") { $0.cmp(.dword, .at(.ebp), 0x80) },
    Form("cmp(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.cmp(.qword, .at(.r13), 0x7F) },
  ]

  private static let locked: [Form] =
    each(LockedArithmetic.allCases, "locked(LockedArithmetic, Memory, R)") {
      $0.locked($1, .at(.ebx), .edx)
      $0.locked($1, .at(.ebx), .cl)
    }
    + each(LockedArithmetic.allCases, "locked(LockedArithmetic, OperandSize, Memory, some BinaryInteger)") {
      $0.locked($1, .dword, .at(.ebx), 1)
      $0.locked($1, .word, .at(.ebx), 0x1234)
    }
    + each(LockedArithmetic.allCases, "locked(LockedArithmetic, Memory, R)", in: .only64) {
      $0.locked($1, .at(.r9), .r10)
    }
    + each(LockedUnary.allCases, "locked(LockedUnary, OperandSize, Memory)") {
      $0.locked($1, .byte, .at(.ebx))
      $0.locked($1, .dword, .at(.ebx))
    }
    + each(LockedUnary.allCases, "locked(LockedUnary, OperandSize, Memory)", in: .only64) {
      $0.locked($1, .qword, .rip("target"))
    }
}
