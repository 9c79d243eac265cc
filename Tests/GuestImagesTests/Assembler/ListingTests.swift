// What a program looks like, to the person who writes it and to the one who reads its listing.

import GuestImages
import Testing

@Suite("An assembled program")
struct ListingTests {
  /// A program that uses one of everything that a listing has to show.
  private func sample() throws -> Program {
    var asm = Assembler(origin: 0x8000, mode: .bits64)
    asm.bind("entry", "ring 0")
    asm.mov(.ecx, 0x48, "IA32_SPEC_CTRL")
    asm.mov(.eax, 1)
    asm.xor(.edx, .edx)
    asm.wrmsr()
    asm.mov(.rax, .at(.rbx, 16))
    asm.mov(.rdi, .rip("data"), "relative")
    asm.dec(.r12)
    asm.jcc(.notZero, "entry", "again")
    asm.mode = .bits32
    asm.mov(.edi, "data")
    asm.hlt()
    asm.bind("data")
    asm.bytes([0x00, 0x80, 0x00])
    asm.bytes(repeatElement(0, count: 4096), "a page")
    return try asm.assemble()
  }

  @Test("has an origin, bytes and the addresses of its labels")
  func parts() throws {
    let program = try sample()
    #expect(program.origin == 0x8000)
    #expect(program.labels["entry"] == 0x8000)
    #expect(program.labels["data"] == 0x8024)
    #expect(program.bytes.starts(with: [0xB9, 0x48, 0, 0, 0, 0xB8, 1, 0, 0, 0, 0x31, 0xD2, 0x0F, 0x30]))
  }

  @Test("renders as address, bytes, mnemonic and comment, in columns")
  func listing() throws {
    let expected = """
      00008000                              entry:                                ; ring 0
      00008000  b9 48 00 00 00                mov ecx, 0x48                       ; IA32_SPEC_CTRL
      00008005  b8 01 00 00 00                mov eax, 0x1
      0000800a  31 d2                         xor edx, edx
      0000800c  0f 30                         wrmsr
      0000800e  48 8b 43 10                   mov rax, qword ptr [rbx + 0x10]
      00008012  48 8b 3d 0b 00 00 00          mov rdi, qword ptr [rip + data]     ; relative
      00008019  49 ff cc                      dec r12
      0000801c  75 e2                         jne entry                           ; again
      0000801e                              .code32
      0000801e  bf 24 80 00 00                mov edi, data
      00008023  f4                            hlt
      00008024                              data:
      00008024  00 80 00                      db (3 bytes)
      00008027  00 00 00 00 00 00 00 00 ..    db (4096 bytes)                     ; a page

      """
    #expect(try sample().renderListing() == expected)
  }
}
