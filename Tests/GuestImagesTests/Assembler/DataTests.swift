// Data between the instructions.

import GuestImages
import Testing

@Suite("Data")
struct DataTests {
  @Test("is laid down at the place where it is written")
  func bytes() throws {
    var asm = Assembler(origin: 0x1001, mode: .bits32)
    asm.nop()
    asm.bytes([1, 2, 3])
    asm.nop()
    #expect(asm.here == 0x1006)
    #expect(try asm.assemble().bytes == [0x90, 1, 2, 3, 0x90])
  }
}
