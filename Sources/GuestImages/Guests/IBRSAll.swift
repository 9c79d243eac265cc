// ibrs-all: the guest that uses enhanced IBRS and turns it on once, at boot. On a processor without IBRS_ALL the same
// guest stands for one that was told of IBRS_ALL falsely: IBRS stays set, in user mode as well, and is not written
// again.
// Facts: Intel SDM vol. 4, IA32_ARCH_CAPABILITIES.IBRS_ALL (bit 1), IA32_SPEC_CTRL.

public import Registers

extension Workload {
  /// Writes IBRS = 1 at boot; makes `userBranches` indirect branches in user mode before each kernel entry.
  public static func ibrsAll(_ msr: MSR = .specCtrl, userBranches: Int = Parameter.userBranches.usual) -> Workload {
    var workload = Workload(name: .ibrsAll, summary: "writes IBRS = 1 once at boot, and never again", msr: msr)
    workload.parameters = [.userBranches: userBranches]
    workload.writtenBits = SpecCtrl.ibrs.rawValue
    workload.atBoot.writes = 1
    workload.boot = { $0.writeMSR(msr, 1, "at boot: IBRS on for good") }
    return workload
  }
}
