// The guests that never touch the MSR: bare, an empty kernel entry, and chatty, the bystander, which exits to the VMM
// at each kernel entry.

import Registers

extension Workload {
  static let bare = Workload(name: .bare, summary: "an empty kernel entry: the baseline")

  static let chatty: Workload = {
    var workload = Workload(name: .chatty, summary: "exits once at each kernel entry (OUT), never touches the MSR")
    workload.perIteration.outs = 1
    workload.body = { asm in
      asm.out(Port.chatter, .al, "an exit that no policy handles")
    }
    return workload
  }()
}
