// Handlers for every exception vector: the guest reports what happened and where, and rings the doorbell.
// Facts: Intel SDM vol. 3A, 6.14 (the 64-bit stack frame) and table 6-1 (vectors that push an error code).

enum FaultHandlers {
  /// The vectors that push an error code.
  private static let withErrorCode: Set<Int> = [8, 10, 11, 12, 13, 14, 17, 21, 29, 30]

  static func label(_ vector: Int) -> Label { Label("vector\(vector)") }

  /// The handlers; a #GP at `finished` means that user mode is done, one at `pause` that it is to pause.
  static func emit(_ asm: inout Assembler, finished: UInt64?, pause: UInt64?) {
    for vector in 0..<DescriptorTables.vectorCount {
      asm.bind(label(vector))
      if vector == 13, let finished {
        asm.cmp(.qword, .at(.rsp, 8), finished, "user mode's HLT, at its end?")
        asm.jcc(.equal, "done")
      }
      if vector == 13, let pause {
        asm.cmp(.qword, .at(.rsp, 8), pause, "user mode's HLT, at a pause?")
        asm.jcc(.equal, "paused")
      }
      if !withErrorCode.contains(vector) { asm.push(0, "no error code") }
      asm.push(vector)
      asm.jmp("fault")
    }
    if pause != nil {
      asm.bind("paused", "user mode asks for the pause that the VMM wants")
      asm.out(Port.pause, .al, "the VMM may save or move the guest here")
      asm.add(.rsp, 8, "the error code")
      asm.add(.qword, .at(.rsp), 1, "steps over the HLT")
      asm.iretq("back to ring 3")
    }
    // The stack now: vector, error code, RIP, CS, RFLAGS, RSP, SS.
    asm.bind("fault", "writes a report and gives up")
    func field(_ offset: Int) -> Memory { .absolute(Layout.mailbox + UInt64(offset)) }
    for (index, offset) in [
      Mailbox.Offset.faultVector, Mailbox.Offset.faultErrorCode, Mailbox.Offset.faultRIP, Mailbox.Offset.faultCS,
    ].enumerated() {
      asm.mov(.rax, .at(.rsp, index * 8))
      asm.mov(field(offset), .rax)
    }
    asm.mov(.rax, .cr2)
    asm.mov(field(Mailbox.Offset.faultCR2), .rax)
    asm.mov(.dword, field(Mailbox.Offset.state), Mailbox.State.faulted.rawValue)
    asm.out(Port.doorbell, .al, "the VMM takes over")
    asm.hlt()
  }
}
