// The example of the module's overview page, which shows it from the first import on.

import GuestImages

/// A guest of five instructions that sets IBRS and halts; `renderListing()` shows its code.
func guestThatSetsIBRS() throws -> Program {
  var asm = Assembler(origin: 0x1000, mode: .bits16)
  asm.mov(.ecx, 0x48, "IA32_SPEC_CTRL")
  asm.mov(.eax, 1, "IBRS")
  asm.xor(.edx, .edx)
  asm.wrmsr()
  asm.hlt()
  return try asm.assemble()
}
