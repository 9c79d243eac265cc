// The forms of Assembler+Bits.swift.

import GuestImages

extension Form {
  static let bits: [Form] = unary + shifts + tests

  private static let unary: [Form] = [
    Form("inc(some GeneralRegister)") { $0.inc(.cl) },
    Form("inc(some GeneralRegister)") { $0.inc(.bp) },
    Form("inc(some GeneralRegister)") { $0.inc(.edi) },
    Form("inc(some GeneralRegister)", in: .only64) { $0.inc(.r12) },
    Form("inc(some GeneralRegister)", in: .only64) { $0.inc(.dil) },
    Form("inc(OperandSize, Memory)") { $0.inc(.byte, .at(.ebx)) },
    Form("inc(OperandSize, Memory)") { $0.inc(.word, .at(.ebx)) },
    Form("inc(OperandSize, Memory)") { $0.inc(.dword, .at(.ebx)) },
    Form("inc(OperandSize, Memory)", in: .only64) { $0.inc(.qword, .at(.r12)) },
    Form("dec(some GeneralRegister)") { $0.dec(.cl) },
    Form("dec(some GeneralRegister)") { $0.dec(.bp) },
    Form("dec(some GeneralRegister)") { $0.dec(.edi) },
    Form("dec(some GeneralRegister)", in: .only64) { $0.dec(.r12) },
    Form("dec(some GeneralRegister)", in: .only64) { $0.dec(.dil) },
    Form("dec(OperandSize, Memory)") { $0.dec(.byte, .at(.ebx)) },
    Form("dec(OperandSize, Memory)") { $0.dec(.word, .at(.ebx)) },
    Form("dec(OperandSize, Memory)") { $0.dec(.dword, .at(.ebx)) },
    Form("dec(OperandSize, Memory)", in: .only64) { $0.dec(.qword, .at(.r12)) },
    Form("not(some GeneralRegister)") { $0.not(.cl) },
    Form("not(some GeneralRegister)") { $0.not(.bp) },
    Form("not(some GeneralRegister)") { $0.not(.edi) },
    Form("not(some GeneralRegister)", in: .only64) { $0.not(.r12) },
    Form("not(some GeneralRegister)", in: .only64) { $0.not(.dil) },
    Form("not(OperandSize, Memory)") { $0.not(.byte, .at(.ebx)) },
    Form("not(OperandSize, Memory)") { $0.not(.word, .at(.ebx)) },
    Form("not(OperandSize, Memory)") { $0.not(.dword, .at(.ebx)) },
    Form("not(OperandSize, Memory)", in: .only64) { $0.not(.qword, .at(.r12)) },
    Form("neg(some GeneralRegister)") { $0.neg(.cl) },
    Form("neg(some GeneralRegister)") { $0.neg(.bp) },
    Form("neg(some GeneralRegister)") { $0.neg(.edi) },
    Form("neg(some GeneralRegister)", in: .only64) { $0.neg(.r12) },
    Form("neg(some GeneralRegister)", in: .only64) { $0.neg(.dil) },
    Form("neg(OperandSize, Memory)") { $0.neg(.byte, .at(.ebx)) },
    Form("neg(OperandSize, Memory)") { $0.neg(.word, .at(.ebx)) },
    Form("neg(OperandSize, Memory)") { $0.neg(.dword, .at(.ebx)) },
    Form("neg(OperandSize, Memory)", in: .only64) { $0.neg(.qword, .at(.r12)) },
  ]

  private static let shifts: [Form] =
    each([0, 1, 2, 31, 63, 255] as [UInt8], "shl(some GeneralRegister, UInt8)") {
      $0.shl(.al, $1)
      $0.shl(.dx, $1)
      $0.shl(.esi, $1)
    }
    + [
      Form("shl(some GeneralRegister, UInt8)") { $0.shl(.edi, 1) },
      Form("shl(some GeneralRegister, UInt8)") { $0.shl(.bl, 7) },
      Form("shl(some GeneralRegister, UInt8)", in: .only64) { $0.shl(.r8, 32) },
      Form("shr(some GeneralRegister, UInt8)") { $0.shr(.edi, 1) },
      Form("shr(some GeneralRegister, UInt8)") { $0.shr(.bl, 7) },
      Form("shr(some GeneralRegister, UInt8)", in: .only64) { $0.shr(.r8, 32) },
      Form("sar(some GeneralRegister, UInt8)") { $0.sar(.edi, 1) },
      Form("sar(some GeneralRegister, UInt8)") { $0.sar(.bl, 7) },
      Form("sar(some GeneralRegister, UInt8)", in: .only64) { $0.sar(.r8, 32) },
      Form("rol(some GeneralRegister, UInt8)") { $0.rol(.edi, 1) },
      Form("rol(some GeneralRegister, UInt8)") { $0.rol(.bl, 7) },
      Form("rol(some GeneralRegister, UInt8)", in: .only64) { $0.rol(.r8, 32) },
      Form("ror(some GeneralRegister, UInt8)") { $0.ror(.edi, 1) },
      Form("ror(some GeneralRegister, UInt8)") { $0.ror(.bl, 7) },
      Form("ror(some GeneralRegister, UInt8)", in: .only64) { $0.ror(.r8, 32) },
    ]

  private static let tests: [Form] =
    each(Reg64.self, "test(R, R)") { $0.test($1, $1) }
    + each(Reg32.self, "test(R, R)") { $0.test($1, $1) }
    + each(Reg16.self, "test(R, R)") { $0.test($1, .bx) }
    + each(Reg8.self, "test(R, R)") { $0.test(.bl, $1) }
    + each(signedBoundaries, "test(R, some BinaryInteger)", in: .only64) { $0.test(.r9, $1) }
    + each(boundaries(32), "test(R, some BinaryInteger)") { $0.test(.ecx, $1) }
    + each(boundaries(16), "test(R, some BinaryInteger)") { $0.test(.cx, $1) }
    + each(boundaries(8), "test(R, some BinaryInteger)") { $0.test(.cl, $1) }
    + each([0, 5, 31, 63] as [UInt8], "bt(R, UInt8)") {
      $0.bt(.ax, $1)
      $0.bt(.edx, $1)
    }
    + each(Reg64.self, "bt(R, UInt8)") { $0.bt($1, 63) }
    + each(Condition.allCases, "setcc(Condition, Reg8)") { $0.setcc($1, .cl) }
    + each(Reg8.self, "setcc(Condition, Reg8)") { $0.setcc(.notZero, $1) }
}
