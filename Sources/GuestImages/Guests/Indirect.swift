// indirect and retpoline: a kernel entry with one indirect call, plain and through a retpoline. A parameter of the
// latter adds exits to the VMM.
// Facts: Intel, "Retpoline: A Branch Target Injection Mitigation" (2018): the call whose return address is overwritten,
// and the capture loop for the return predictor.

import Registers

extension Workload {
  static let indirect: Workload = {
    var workload = Workload(name: .indirect, summary: "one indirect call at each kernel entry, unprotected")
    workload.needsStack = true
    workload.body = { asm in
      asm.mov(.rax, "target", "the address that is called")
      asm.call(.rax)
    }
    workload.routines = { asm in
      asm.bind("target", "what the indirect call reaches")
      asm.ret()
    }
    return workload
  }()

  /// Makes `exits` OUTs to `Port.chatter` before the call.
  public static func retpoline(exits: Int = Parameter.exitsPerEntry.usual) -> Workload {
    precondition(exits >= 0)
    var workload = Workload(name: .retpoline, summary: "one indirect call at each kernel entry, through a retpoline")
    workload.parameters = [.exitsPerEntry: exits]
    workload.perIteration.outs = UInt64(exits)
    workload.needsStack = true
    workload.body = { asm in
      for _ in 0..<exits { asm.out(Port.chatter, .al, "an exit while the kernel runs") }
      asm.mov(.rax, "target", "the address that is called")
      asm.call("thunk")
    }
    workload.routines = { asm in
      asm.bind("thunk", "jumps to RAX without an indirect branch prediction")
      asm.call("overwrite", "pushes the capture loop for the return predictor")
      asm.bind("capture")
      asm.pause("only speculation comes here, and stays")
      asm.lfence()
      asm.jmp("capture")
      asm.bind("overwrite")
      asm.mov(.at(.rsp), .rax, "the return address is now the target")
      asm.ret()
      asm.bind("target", "what the indirect call reaches")
      asm.ret()
    }
    return workload
  }
}
