// The forms of Assembler+Bits.swift.

import GuestImages

extension Form {
  static let bits: [Form] = unary + shifts + bitTests

  private static let unary: [Form] = [
    Form("inc(R)") { $0.inc(.cl) },
    Form("inc(R)") { $0.inc(.bp) },
    Form("inc(R)") { $0.inc(.edi) },
    Form("inc(R)", in: .only64) { $0.inc(.r12) },
    Form("inc(R)", in: .only64) { $0.inc(.dil) },
    Form("dec(R)") { $0.dec(.cl) },
    Form("dec(R)") { $0.dec(.bp) },
    Form("dec(R)") { $0.dec(.edi) },
    Form("dec(R)", in: .only64) { $0.dec(.r12) },
    Form("dec(R)", in: .only64) { $0.dec(.dil) },
  ]

  private static let shifts: [Form] =
    each([0, 1, 2, 31, 63, 255] as [UInt8], "shl(R, UInt8)") {
      $0.shl(.al, $1)
      $0.shl(.dx, $1)
      $0.shl(.esi, $1)
    }
    + [
      Form("shl(R, UInt8)") { $0.shl(.edi, 1) },
      Form("shl(R, UInt8)") { $0.shl(.bl, 7) },
      Form("shl(R, UInt8)", in: .only64) { $0.shl(.r8, 32) },
    ]

  private static let bitTests: [Form] =
    each([0, 5, 31, 63] as [UInt8], "bt(R, UInt8)") {
      $0.bt(.ax, $1)
      $0.bt(.edx, $1)
    }
    + each(Reg64.self, "bt(R, UInt8)") { $0.bt($1, 63) }
    + each([0, 5, 31, 63] as [UInt8], "bts(R, UInt8)") {
      $0.bts(.ax, $1)
      $0.bts(.edx, $1)
    }
    + each(Reg64.self, "bts(R, UInt8)") { $0.bts($1, 63) }
}
