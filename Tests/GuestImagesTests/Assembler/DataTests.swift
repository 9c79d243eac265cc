// Data between the instructions.

import GuestImages
import Testing

@Suite("Data")
struct DataTests {
  @Test("is laid down lowest byte first, at the place it is written")
  func constants() throws {
    var asm = Assembler(origin: 0x1001, mode: .bits32)
    asm.byte(0x11)
    asm.word(0x2233)
    asm.dword(0x4455_6677)
    asm.qword(0x8899_AABB_CCDD_EEFF)
    asm.bind("end")
    asm.word("end")
    asm.dword("end")
    asm.qword("end")
    asm.bytes([1, 2, 3])
    asm.zero(2)
    asm.align(16, fill: 0xCC)
    #expect(asm.here == 0x1030)
    let program = try asm.assemble()
    #expect(
      program.bytes == [
        0x11, 0x33, 0x22, 0x77, 0x66, 0x55, 0x44, 0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99, 0x88,
        0x10, 0x10, 0x10, 0x10, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0,
      ] + Array(repeating: 0xCC, count: 13))
  }

  @Test("that is aligned already gets no fill")
  func aligned() throws {
    var asm = Assembler(origin: 0x1000, mode: .bits32)
    asm.align(4096)
    #expect(try asm.assemble().bytes.isEmpty)
  }
}
