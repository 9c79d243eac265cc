// ibrs-all: the guest that knows enhanced IBRS and turns it on once, at boot.
// Facts: Intel SDM vol. 4, IA32_ARCH_CAPABILITIES.IBRS_ALL (bit 1), IA32_SPEC_CTRL.

extension Workload {
  static func ibrsAll(_ msr: UInt32) -> Workload {
    var workload = Workload(name: .ibrsAll, summary: "writes IBRS = 1 once at boot, and never again", msr: msr)
    workload.writtenBits = 1
    workload.atBoot.writes = 1
    workload.boot = { $0.writeMSR(msr, 1, "at boot: IBRS on for good") }
    return workload
  }
}
