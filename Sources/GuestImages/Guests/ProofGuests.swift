// Guests that prove what a host can do. Their kernels have the boot code and the fault handlers of every workload.

public import Registers

extension Workload {
  /// The workload that proves an entry: its kernel stores the CS that it runs under.
  public static let entryProof: Workload = {
    var workload = Workload(name: .bare, summary: "stores CS in the kernel: proves that the entry switches rings")
    workload.body = { asm in
      asm.mov(.eax, .cs)
      asm.mov(.absolute(Layout.mailbox + UInt64(Mailbox.Offset.entryCS)), .eax)
    }
    return workload
  }()

  /// The workload that proves an isolated entry: its kernel stores the CS and the CR3 that it runs under.
  public static let isolationProof: Workload = {
    var workload = Workload(
      name: .bare, summary: "stores CS and CR3 in the kernel: proves that page tables are isolated")
    workload.body = { asm in
      asm.mov(.eax, .cs)
      asm.mov(.absolute(Layout.mailbox + UInt64(Mailbox.Offset.entryCS)), .eax)
      asm.mov(.rax, .cr3)
      asm.mov(.absolute(Layout.mailbox + UInt64(Mailbox.Offset.entryCR3)), .rax)
    }
    return workload
  }()

  /// The workload that proves a register: its kernel writes a value to an MSR once, at the label `registerProof`.
  public static func registerProof(of msr: MSR, writing value: UInt64) -> Workload {
    var workload = Workload(
      name: .bare, summary: "writes an MSR once: proves that guests have it", entries: [.none], msr: msr)
    workload.atBoot.writes = 1
    workload.boot = { asm in
      asm.prepareWriteMSR(msr, value, "the MSR to prove")
      asm.bind(Label.registerProof)
      asm.wrmsr("a #GP here means that guests do not have the MSR")
    }
    return workload
  }

  /// The writes before each OUT of the loop at `costOfWrites`.
  public static let writesPerCost = 2

  /// The workload that measures the costs for `adaptive`: two endless loops.
  ///
  /// The one at the label `costOfOuts` makes OUTs; the one at `costOfWrites` makes writes of an MSR before each OUT.
  ///
  /// The last value before each OUT is `resting`; the other writes differ from it in the lowest bit.
  public static func adaptiveCosts(of msr: MSR, resting: UInt64) -> Workload {
    var workload = Workload(
      name: .bare, summary: "OUTs alone, and writes of an MSR before an OUT: measures the costs for adaptive",
      entries: [.none], msr: msr)
    workload.boot = { asm in
      asm.bind(Label.costOfOuts)
      asm.out(Port.chatter, .al, "an exit alone")
      asm.jmp(Label.costOfOuts)
      asm.bind(Label.costOfWrites)
      asm.mov(.ecx, msr.rawValue, "\(msr)")
      asm.mov(.edx, UInt32(truncatingIfNeeded: resting >> 32))
      asm.bind("round")
      for write in 1...writesPerCost {
        asm.mov(.eax, UInt32(truncatingIfNeeded: resting) ^ UInt32((writesPerCost - write) & 1))
        asm.wrmsr()
      }
      asm.out(Port.chatter, .al, "an exit after the writes")
      asm.jmp("round")
    }
    return workload
  }
}

extension Label {
  /// Where the kernel of `Workload.registerProof` writes the MSR.
  public static let registerProof: Label = "registerProof"
  /// Where the loops of `Workload.adaptiveCosts` begin.
  public static let costOfOuts: Label = "costOfOuts"
  public static let costOfWrites: Label = "costOfWrites"
}
