// ibrs: the guest that sets IBRS = 1 at each kernel entry and 0 at each exit. Parameters change the number of writes,
// and add exits to the VMM in the kernel and indirect branches in user mode, where IBRS is 0.
// Facts: Intel SDM vol. 4, IA32_SPEC_CTRL, bit 0.

public import Registers

extension Workload {
  /// Writes 1, 0, 1, 0 … at each kernel entry, `writes` in all; makes `exits` OUTs to `Port.chatter` after the first
  /// write.
  ///
  /// An image whose code does not fit the kernel's place in memory is refused. Two writes and no exits are what kernels
  /// do that use IBRS without IBRS_ALL.
  public static func ibrs(
    _ msr: MSR = .specCtrl, writes: Int = Parameter.writesPerEntry.usual, exits: Int = Parameter.exitsPerEntry.usual,
    userBranches: Int = Parameter.userBranches.usual
  ) -> Workload {
    precondition(writes >= 0 && exits >= 0)
    var workload = Workload(name: .ibrs, summary: "writes IBRS = 1 at each kernel entry and 0 at each exit", msr: msr)
    workload.parameters = [.writesPerEntry: writes, .exitsPerEntry: exits, .userBranches: userBranches]
    workload.writtenBits = writes > 0 ? SpecCtrl.ibrs.rawValue : 0
    workload.perIteration.writes = UInt64(writes)
    workload.perIteration.outs = UInt64(exits)
    workload.body = { asm in
      if writes > 0 { asm.writeMSR(msr, 1, "on entry: IBRS on") }
      for _ in 0..<exits { asm.out(Port.chatter, .al, "an exit while the kernel runs") }
      for write in 1..<max(1, writes) {
        asm.writeMSR(msr, write.isMultiple(of: 2) ? 1 : 0, write == writes - 1 ? "on exit" : "again")
      }
    }
    return workload
  }
}
