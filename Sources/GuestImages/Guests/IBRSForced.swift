// ibrs-forced: the cost of a fake IBRS_ALL that really protects the guest.
//
// A guest that was told of IBRS_ALL writes IBRS once, at boot. Without IBRS_ALL in the processor, two things are
// missing. First, the set bit does not restrict predictions that were learnt before a kernel entry: the write is also a
// barrier, and must be repeated after each entry, even though the bit is set. Second, nobody clears the bit: user mode
// runs with IBRS set, which is slow on such processors, because they restrict by predicting fewer indirect branches.
//
// No hypervisor can make that write for the guest, because a kernel entry is no exit. So this guest's own kernel makes
// it: one write of IBRS = 1 at each entry and none at the exit. That is the least that a fake could cost. `ibrs-all` on
// the same host is the fake without the barrier; `ibrs` is the guest with correct CPUID.
// Facts: Intel, "Speculative Execution Side Channel Mitigations", 2.4.1 (IBRS: set it after each transition to a more
// privileged mode regardless of its previous value); the kernel's mailing list, 2018-02-16 ("No you can't; it's also a
// barrier").

public import Registers

extension Workload {
  /// Writes IBRS = 1 at boot and again at each kernel entry, never 0; makes `userBranches` indirect branches in user
  /// mode before each.
  public static func ibrsForced(_ msr: MSR = .specCtrl, userBranches: Int = Parameter.userBranches.usual) -> Workload {
    var workload = Workload(
      name: .ibrsForced, summary: "IBRS = 1 in user mode as well, and the write as a barrier at each kernel entry",
      msr: msr)
    workload.parameters = [.userBranches: userBranches]
    workload.writtenBits = SpecCtrl.ibrs.rawValue
    workload.atBoot.writes = 1
    workload.perIteration.writes = 1
    workload.boot = { $0.writeMSR(msr, 1, "at boot: IBRS on for good") }
    workload.body = { $0.writeMSR(msr, 1, "on entry: the barrier; IBRS is on already") }
    return workload
  }
}
