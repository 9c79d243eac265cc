// What a guest's kernel does at each entry, as a value: code, and the arithmetic of what it will do.

/// What a guest's kernel does each time it is entered.
public struct Workload: Sendable {
  /// A workload's name on the command line.
  public enum Name: String, CaseIterable, Sendable {
    case bare
    case ibrs
    case ibrsAll = "ibrs-all"
    case retpoline
    case indirect
    case chatty
    case probe
  }

  /// What a stretch of guest code does that can be counted from outside.
  public struct Actions: Equatable, Sendable {
    /// RDMSR and WRMSR of the subject MSR.
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    /// OUT to `Port.chatter`.
    public var outs: UInt64 = 0
  }

  public let name: Name
  /// One line for a person.
  public let summary: String
  /// The entries that make sense, the default one for a host where all work first.
  public let entries: [Entry]
  /// The MSR that the workload is about, where it is about one.
  public private(set) var msr: UInt32
  /// What the kernel does once, before user mode runs.
  public var atBoot = Actions()
  /// What the kernel does at each entry.
  public var perIteration = Actions()

  /// The code that the kernel runs once; may change RAX, RBX, RCX and RDX.
  var boot: @Sendable (inout Assembler) -> Void = { _ in }
  /// The code that the kernel runs at each entry; may change RAX, RCX and RDX.
  var body: (@Sendable (inout Assembler) -> Void)?
  /// Code that the body calls.
  var routines: @Sendable (inout Assembler) -> Void = { _ in }
  /// Whether the body uses the stack, which SYSCALL does not switch.
  var needsStack = false

  /// The workload of this name, about this MSR.
  public init(_ name: Name, msr: UInt32 = 0x48) {
    switch name {
    case .bare: self = .bare
    case .ibrs: self = .ibrs(msr)
    case .ibrsAll: self = .ibrsAll(msr)
    case .retpoline: self = .retpoline
    case .indirect: self = .indirect
    case .chatty: self = .chatty
    case .probe: self = .probe
    }
    self.msr = msr
  }

  init(name: Name, summary: String, entries: [Entry] = Entry.allCases) {
    self.name = name
    self.summary = summary
    self.entries = entries
    msr = 0x48
  }

  /// What the guest does in all, over `iterations` iterations.
  public func actions(iterations: UInt64) -> Actions {
    Actions(
      reads: atBoot.reads + perIteration.reads * iterations,
      writes: atBoot.writes + perIteration.writes * iterations,
      outs: atBoot.outs + perIteration.outs * iterations)
  }
}

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
}

extension Assembler {
  /// WRMSR of a constant; changes EAX, ECX and EDX.
  mutating func writeMSR(_ msr: UInt32, _ value: UInt64, _ comment: String) {
    mov(.ecx, msr, comment)
    mov(.eax, UInt32(truncatingIfNeeded: value))
    if value >> 32 == 0 { xor(.edx, .edx) } else { mov(.edx, UInt32(truncatingIfNeeded: value >> 32)) }
    wrmsr()
  }
}
