// phases: the guest that alternates between two kinds of work. For some kernel entries it writes IBRS = 1 and 0 like
// `ibrs`, for as many it exits like `chatty` and does not write. A policy that adapts has to follow it.

public import Registers

extension Workload {
  /// Alternates between `length` entries with two writes each and `length` entries with one OUT to `Port.chatter` each.
  public static func phases(_ msr: MSR = .specCtrl, length: Int = Parameter.phaseLength.usual) -> Workload {
    precondition(Parameter.phaseLength.values.contains(length))
    var workload = Workload(
      name: .phases,
      summary: "alternates: some entries write like ibrs, then as many exit like chatty and do not write",
      msr: msr)
    workload.parameters = [.phaseLength: length]
    workload.writtenBits = SpecCtrl.ibrs.rawValue
    workload.isUniform = false
    workload.perIteration.writes = 2
    workload.otherPhase = Phase(length: UInt64(length), perIteration: Actions(outs: 1))
    workload.boot = { asm in
      asm.mov(.r12d, length, "the entries that are left in this phase")
      asm.xor(.r14d, .r14d, "the phase: 0 writes, 1 is quiet")
    }
    workload.body = { asm in
      asm.cmp(.r14d, 0)
      asm.jcc(.notZero, "quiet")
      asm.writeMSR(msr, 1, "on entry: IBRS on")
      asm.writeMSR(msr, 0, "on exit")
      asm.jmp("counted")
      asm.bind("quiet")
      asm.out(Port.chatter, .al, "an exit that no policy handles")
      asm.bind("counted")
      asm.dec(.r12d)
      asm.jcc(.notZero, "same phase")
      asm.mov(.r12d, length)
      asm.xor(.r14d, 1, "the other phase from the next entry on")
      asm.bind("same phase")
    }
    return workload
  }
}
