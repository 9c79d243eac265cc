// ibpb: the kernel that flushes the indirect branch predictors at each switch between two tasks. Every entry is a
// switch.
// Facts: Intel SDM vol. 4, IA32_PRED_CMD, bit 0 (IBPB): writes only, and a write of 0 does nothing.

import Registers

extension Workload {
  static func ibpb(_ msr: MSR) -> Workload {
    var workload = Workload(
      name: .ibpb, summary: "writes IBPB to IA32_PRED_CMD at each switch between two tasks (each entry is one)",
      msr: msr)
    workload.writtenBits = 1
    workload.perIteration.writes = 1
    workload.body = { asm in
      asm.writeMSR(msr, 1, "a switch of tasks: flush the branch predictors")
    }
    return workload
  }
}
