// Every memory operand: each base, each index, each scale, each width of displacement; 16-bit addresses; absolute and
// relative ones; segments.

import GuestImages

extension Form {
  private static let load = "mov(R, Memory)"

  static let addresses: [Form] =
    displacements(32).flatMap { displacement in
      each(Reg64.self, load) { $0.mov(.ecx, .at($1, displacement)) }
        + each(Reg32.self, load) { $0.mov(.ecx, .at($1, displacement)) }
        + each(Reg64.self, load) { $0.mov(.r10, .at($1, index: .r9, scale: .x2, displacement)) }
        + each(Reg32.self, load) { $0.mov(.ecx, .at($1, index: .esi, scale: .x2, displacement)) }
    } + indices + words + absolutes + relatives + segments

  private static func displacements(_ bits: Int) -> [Int] {
    boundaries(bits).map(Int.init).filter { $0 >= -(1 << (bits - 1)) && $0 < 1 << (bits - 1) }
  }

  private static let indices: [Form] = Scale.allCases.flatMap { scale in
    let indices64 = Reg64.allCases.filter { $0 != .rsp }
    let indices32 = Reg32.allCases.filter { $0 != .esp && $0.number < 8 }
    return each(indices64, load, in: .only64) {
      $0.mov(.ecx, .at(.rbp, index: $1, scale: scale))
      $0.mov(.ecx, .at(.r12, index: $1, scale: scale, 8))
      $0.mov(.ecx, .at(index: $1, scale: scale, 0x100))
    }
      + each(indices32, load) {
        $0.mov(.ecx, .at(.ebp, index: $1, scale: scale))
        $0.mov(.ecx, .at(.esp, index: $1, scale: scale, 8))
        $0.mov(.ecx, .at(index: $1, scale: scale, 0x100))
      }
      + [
        Form(load, in: []) { $0.mov(.ecx, .at(.rbx, index: .rsp, scale: scale)) },
        Form(load, in: []) { $0.mov(.ecx, .at(.ebx, index: .esp, scale: scale)) },
      ]
  }

  private static let words: [Form] =
    displacements(16).flatMap { displacement in
      each([Reg16.bx, .bp, .si, .di], load, in: .not64) { $0.mov(.ecx, .at($1, displacement)) }
        + each([Reg16.si, .di], load, in: .not64) {
          $0.mov(.ecx, .at(.bx, index: $1, displacement))
          $0.mov(.ecx, .at(.bp, index: $1, displacement))
        }
    }
    + [
      Form(load, in: []) { $0.mov(.ecx, .at(.ax)) },
      Form(load, in: []) { $0.mov(.ecx, .at(.si, index: .di)) },
      Form(load, in: []) { $0.mov(.ecx, .at(.bx, index: .si, scale: .x2)) },
      Form(load, in: []) { $0.mov(.ecx, .at(.bx, 0x1_0000)) },
    ]

  private static let absolutes: [Form] =
    each([0, 0x1234, 0xFFFF, 0x1_0000, 0x7FFF_FFFF], load) { $0.mov(.ecx, .absolute($1)) }
    + [
      Form(load, in: .not64) { $0.mov(.ecx, .absolute(0xFFFF_FFFF as UInt32)) },
      Form(load, in: .only64) { $0.mov(.rcx, .absolute(0xFFFF_FFFF_8000_0000 as UInt64)) },
      Form(load, in: []) { $0.mov(.ecx, .absolute(0x1_0000_0000)) },
      Form(load, in: []) { $0.mov(.ecx, .absolute(UInt64.max / 2)) },
      Form(load) { $0.mov(.ecx, .absolute("target")) },
      Form(load) { $0.mov(.ecx, .absolute("target", 0x10)) },
    ]

  private static let relatives: [Form] = [
    Form(load, in: .only64) {
      $0.mov(.r8, .rip("target"))
      $0.mov(.r8, .rip("target", 0x10))
      $0.mov(.r8, .rip("ahead"))
      $0.bind("ahead")
    },
    // A constant behind the displacement: the distance counts from the end of the instruction.
    Form("add(OperandSize, Memory, some BinaryInteger)", in: .only64) {
      $0.add(.dword, .rip("target"), 0x1234_5678)
      $0.add(.qword, .rip("target"), 1)
    },
  ]

  private static let segments: [Form] =
    each([SegmentRegister.es, .cs, .ss, .ds], load, in: .not64) { $0.mov(.ecx, .at(.ebx, 4).through($1)) }
    + each([SegmentRegister.fs, .gs], load) {
      $0.mov(.ecx, .at(.ebx, 4).through($1))
      $0.mov(.ecx, .absolute(0x10).through($1))
    }
    + each([SegmentRegister.fs, .gs], load, in: .only64) {
      $0.mov(.r9, .at(.r10, 4).through($1))
      $0.mov(.r9, .rip("target").through($1))
    }
}
