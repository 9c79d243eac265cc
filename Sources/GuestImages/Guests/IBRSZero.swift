// ibrs-zero: the guest that writes SPEC_CTRL at each kernel entry and exit, and always 0.
//
// KVM intercepts SPEC_CTRL until a guest's first write that is not 0. This guest never makes one, so KVM traps each of
// its writes and completes it by itself: a light exit on the register itself.
// Facts: Linux arch/x86/kvm/vmx/vmx.c (vmx_set_msr, MSR_IA32_SPEC_CTRL: a write of 0 leaves the intercept), svm/svm.c
// (svm_set_msr: the same without V_SPEC_CTRL).

public import Registers

extension Workload {
  /// Writes 0 twice at each kernel entry.
  public static func ibrsZero(_ msr: MSR = .specCtrl) -> Workload {
    var workload = Workload(
      name: .ibrsZero, summary: "writes 0 at each kernel entry and exit: KVM traps and ends each write", msr: msr)
    workload.perIteration.writes = 2
    workload.body = { asm in
      asm.writeMSR(msr, 0, "on entry: a write without effect")
      asm.writeMSR(msr, 0, "on exit")
    }
    return workload
  }
}
