// ssbd: one of two tasks runs with speculative store bypass disabled. Every entry is a switch to the other one.
// Facts: Intel SDM vol. 4, IA32_SPEC_CTRL, bit 2 (SSBD).

import Registers

extension Workload {
  static func ssbd(_ msr: MSR) -> Workload {
    var workload = Workload(
      name: .ssbd, summary: "writes SSBD for one of two tasks at each switch (each entry is one): 4, then 0", msr: msr)
    workload.writtenBits = SpecCtrl.ssbd.rawValue
    workload.perIteration.writes = 1
    workload.body = { asm in
      asm.mov(.eax, .r13d, "the entries so far: the lowest bit is the task's number")
      asm.and(.eax, 1)
      asm.shl(.eax, 2, "SSBD for task 1, nothing for task 0")
      asm.mov(.ecx, msr.rawValue)
      asm.xor(.edx, .edx)
      asm.wrmsr("the task's own setting")
    }
    return workload
  }
}
