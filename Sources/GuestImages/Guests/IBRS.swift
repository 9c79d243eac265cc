// ibrs: the guest that restricts indirect branches by hand, IBRS = 1 at each kernel entry and 0 at each exit.
// Facts: Intel SDM vol. 4, IA32_SPEC_CTRL, bit 0.

extension Workload {
  static func ibrs(_ msr: UInt32) -> Workload {
    var workload = Workload(name: .ibrs, summary: "writes IBRS = 1 at each kernel entry and 0 at each exit")
    workload.perIteration.writes = 2
    workload.body = { asm in
      asm.writeMSR(msr, 1, "on entry: IBRS on")
      asm.writeMSR(msr, 0, "on exit: IBRS off")
    }
    return workload
  }
}
