// hlt: one HLT, which exits to the VMM where there is no interrupt controller in the kernel; the VMM lets the guest go
// on.
// Facts: KVM API document, section 5 (KVM_EXIT_HLT).

extension Workload {
  static let hlt = Workload(primitive: .hlt, "one HLT, to the VMM, which resumes the guest", actions: Actions(halts: 1))
  {
    $0.hlt("the VMM goes on with the next instruction")
  }
}
