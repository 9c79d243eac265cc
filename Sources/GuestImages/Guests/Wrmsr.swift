// wrmsr: one write of an MSR, with nothing around it. Where it ends (hardware, KVM, VMM) depends on MSR and policy.
// Facts: Intel SDM vol. 2, WRMSR.

extension Workload {
  /// Writes the same value in every iteration.
  ///
  /// The default is the lowest bit: IBRS in IA32_SPEC_CTRL, IBPB in IA32_PRED_CMD. KVM on VMX opens SPEC_CTRL to a
  /// guest at its first write that is not 0.
  public static func wrmsr(_ msr: UInt32 = Self.speculationControl, value: UInt64 = 1) -> Workload {
    var workload = Workload(
      primitive: .wrmsr, "one WRMSR of the MSR (value 1)", msr: msr, actions: Actions(writes: 1),
      baseline: { asm in asm.prepareWriteMSR(msr, value, "what WRMSR would write") },
      body: { asm in asm.writeMSR(msr, value, "what WRMSR writes") })
    workload.writtenBits = value
    return workload
  }
}
