// The forms of Assembler+Arithmetic.swift: each operation in each shape, and ADD with every register and boundary.

import GuestImages

extension Form {
  static let arithmetic: [Form] =
    everyRegister + everyConstant + operations

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
    Form("add(OperandSize, Memory, some BinaryInteger)") { $0.add(.dword, .at(.ebp), 0x80) },
    Form("add(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.add(.qword, .at(.r13), 0x7F) },
    Form("or(R, some BinaryInteger)") { $0.or(.esi, 0x1234) },
    Form("or(R, some BinaryInteger)", in: .only64) { $0.or(.r11, -1) },
    Form("or(R, some BinaryInteger)", in: .only64) { $0.or(.rdi, 0x1800) },
    Form("and(R, some BinaryInteger)") { $0.and(.esi, 0x1234) },
    Form("and(R, some BinaryInteger)", in: .only64) { $0.and(.r11, -1) },
    Form("xor(R, R)") { $0.xor(.ebx, .ebp) },
    Form("xor(R, R)", in: .only64) { $0.xor(.r8, .rax) },
    Form("xor(R, some BinaryInteger)") { $0.xor(.esi, 0x1234) },
    Form("xor(R, some BinaryInteger)", in: .only64) { $0.xor(.r11, -1) },
    Form("cmp(R, R)") { $0.cmp(.ebx, .ebp) },
    Form("cmp(R, R)", in: .only64) { $0.cmp(.r8, .rax) },
    Form("cmp(R, some BinaryInteger)") { $0.cmp(.esi, 0x1234) },
    Form("cmp(R, some BinaryInteger)", in: .only64) { $0.cmp(.r11, -1) },
    Form("cmp(OperandSize, Memory, some BinaryInteger)") { $0.cmp(.dword, .at(.ebp), 0x80) },
    Form("cmp(OperandSize, Memory, some BinaryInteger)", in: .only64) { $0.cmp(.qword, .at(.r13), 0x7F) },
  ]
}
