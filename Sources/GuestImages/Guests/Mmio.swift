// mmio: one store to an address without memory, which KVM decodes and hands to the VMM.
// Facts: KVM API document, section 5 (KVM_EXIT_MMIO).

extension Workload {
  static let mmio = Workload(
    primitive: .mmio, "one store of four bytes to an address without memory, to the VMM", actions: Actions(stores: 1)
  ) { asm in
    asm.mov(.absolute(Layout.device), .eax, "nobody cares what")
  }
}
