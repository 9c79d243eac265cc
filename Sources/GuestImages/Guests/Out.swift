// out: one OUT, which exits to the VMM.
// Facts: Intel SDM vol. 2, OUT.

extension Workload {
  static let out = Workload(primitive: .out, "one OUT of a byte, to the VMM", actions: Actions(outs: 1)) { asm in
    asm.out(Port.chatter, .al, "nobody cares what")
  }
}
