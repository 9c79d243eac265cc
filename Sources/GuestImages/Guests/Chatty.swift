// chatty: the bystander, which exits to the VMM at each kernel entry and never touches the MSR.

extension Workload {
  static let chatty: Workload = {
    var workload = Workload(name: .chatty, summary: "exits once at each kernel entry (OUT), never touches the MSR")
    workload.perIteration.outs = 1
    workload.body = { asm in
      asm.out(Port.chatter, .al, "an exit that is none of the policy's business")
    }
    return workload
  }()
}
