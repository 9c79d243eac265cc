// cpuid: one CPUID, which KVM ends by itself on VMX and SVM: a light exit.
// Facts: Intel SDM vol. 2, CPUID (changes RAX, RBX, RCX, RDX); vol. 3C, 26.1.2 (it exits unconditionally).

extension Workload {
  static let cpuid = Workload(
    primitive: .cpuid, "one CPUID of leaf 0, which KVM ends by itself", actions: Actions(cpuids: 1),
    baseline: { asm in around(&asm) { _ in } },
    body: { asm in around(&asm) { $0.cpuid("vendor and highest leaf") } })

  /// Keeps the sample record's address, which is in RBX.
  private static func around(_ asm: inout Assembler, _ instruction: (inout Assembler) -> Void) {
    asm.mov(.r8, .rbx, "the sample record")
    asm.xor(.eax, .eax, "leaf 0")
    instruction(&asm)
    asm.mov(.rbx, .r8)
  }
}
