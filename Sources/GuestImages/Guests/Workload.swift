// What a guest's kernel does at each entry, as a value: code, and the arithmetic of what it will do.

/// What a guest's kernel does each time it is entered.
public struct Workload: Sendable {
  /// A workload's name on the command line.
  public enum Name: String, CaseIterable, Sendable {
    case bare
    case ibrs
    case ibrsAll = "ibrs-all"
    case ibrsForced = "ibrs-forced"
    case retpoline
    case indirect
    case ibpb
    case ssbd
    case chatty
    case phases
    case probe
    case wrmsr
    case cpuid
    case out
    case mmio
    case hlt
    case delay

    /// Whether it is a guest's work, or one instruction alone.
    public var kind: Kind {
      switch self {
      case .wrmsr, .cpuid, .out, .mmio, .hlt, .delay: .primitive
      default: .workload
      }
    }

    /// Whether its user mode can be given indirect branches to make.
    public var takesUserBranches: Bool { [.ibrs, .ibrsAll, .ibrsForced].contains(self) }

    /// The MSR that it is about whatever the policy is about, nil where it is the policy's.
    public var ownMSR: UInt32? { self == .ibpb ? Workload.predictionCommand : nil }
  }

  /// What it is good for.
  public enum Kind: String, CaseIterable, Sendable {
    /// What a kernel does at its entries.
    case workload
    /// One instruction in a loop without user mode, to be compared with its `baseline`.
    case primitive
  }

  /// What a stretch of guest code does that can be counted from outside.
  public struct Actions: Equatable, Sendable {
    /// RDMSR and WRMSR of the workload's MSR.
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    /// OUT to `Port.chatter`.
    public var outs: UInt64 = 0
    /// Stores to `Layout.device`.
    public var stores: UInt64 = 0
    public var halts: UInt64 = 0
    /// CPUID, which KVM ends by itself where it exits.
    public var cpuids: UInt64 = 0
  }

  /// A stretch of entries at which the kernel does something else.
  public struct Phase: Equatable, Sendable {
    /// The entries of this phase, and of those before and after it.
    public let length: UInt64
    public let perIteration: Actions

    /// How many of so many entries fall into phases of this kind, the other kind coming first.
    func entries(of iterations: UInt64) -> UInt64 {
      let (pairs, rest) = iterations.quotientAndRemainder(dividingBy: 2 * length)
      return pairs * length + (rest > length ? rest - length : 0)
    }
  }

  public let name: Name
  /// One line for a person.
  public let summary: String
  /// The entries that make sense, the default one for a host where all work first.
  public let entries: [Entry]
  /// The MSR that the workload is about, where it is about one.
  public private(set) var msr: UInt32
  /// What can be chosen beside the MSR, by its name in results.
  public internal(set) var parameters: [String: Int] = [:]
  /// How many indirect branches user mode makes before each kernel entry.
  public internal(set) var userBranches = 0 {
    didSet { parameters["userBranches"] = userBranches }
  }
  /// Whether this is the loop of a primitive without its instruction.
  public private(set) var isBaseline = false
  /// The bits that its writes set: a guest that is not told of them would not write them.
  public internal(set) var writtenBits: UInt64 = 0
  /// What the kernel does once, before user mode runs.
  public var atBoot = Actions()
  /// What the kernel does at each entry.
  public var perIteration = Actions()
  /// What it does instead in every second phase, where it has phases.
  public internal(set) var otherPhase: Phase?

  /// The code that the kernel runs once; may change RAX, RBX, RCX and RDX, and leave something in R12 and R14 for the
  /// body.
  var boot: @Sendable (inout Assembler) -> Void = { _ in }
  /// The code that the kernel runs at each entry; may change RAX, RCX and RDX, and R8 under the entry `none`; R12 and
  /// R14 are its own.
  var body: (@Sendable (inout Assembler) -> Void)?
  /// What a primitive's loop does beside its instruction: the body of its baseline.
  var baselineBody: (@Sendable (inout Assembler) -> Void)?
  /// Code that the body calls.
  var routines: @Sendable (inout Assembler) -> Void = { _ in }
  /// Whether the body uses the stack, which SYSCALL does not switch.
  var needsStack = false

  /// The workload of this name with its default parameters, about this MSR: IA32_SPEC_CTRL unless it has one of its
  /// own.
  public init(_ name: Name, msr: UInt32? = nil) {
    let msr = msr ?? name.ownMSR ?? Self.speculationControl
    switch name {
    case .bare: self = .bare
    case .ibrs: self = .ibrs(msr)
    case .ibrsAll: self = .ibrsAll(msr)
    case .ibrsForced: self = .ibrsForced(msr)
    case .retpoline: self = .retpoline
    case .indirect: self = .indirect
    case .ibpb: self = .ibpb(msr)
    case .ssbd: self = .ssbd(msr)
    case .chatty: self = .chatty
    case .phases: self = .phases(msr)
    case .probe: self = .probe
    case .wrmsr: self = .wrmsr(msr)
    case .cpuid: self = .cpuid
    case .out: self = .out
    case .mmio: self = .mmio
    case .hlt: self = .hlt
    case .delay: self = .delay()
    }
    self.msr = msr
  }

  init(
    name: Name, summary: String, entries: [Entry] = Entry.allCases, msr: UInt32 = Self.speculationControl
  ) {
    self.name = name
    self.summary = summary
    self.entries = entries
    self.msr = msr
  }

  /// IA32_SPEC_CTRL and IA32_PRED_CMD.
  public static let speculationControl: UInt32 = 0x48
  public static let predictionCommand: UInt32 = 0x49

  /// Whether it accesses its MSR at all.
  public var accessesMSR: Bool {
    [atBoot, perIteration].contains { $0.reads + $0.writes > 0 }
  }

  /// What the guest does in all, over `iterations` iterations.
  public func actions(iterations: UInt64) -> Actions {
    let others = otherPhase?.entries(of: iterations) ?? 0
    func total(_ part: KeyPath<Actions, UInt64>) -> UInt64 {
      atBoot[keyPath: part] + perIteration[keyPath: part] * (iterations - others)
        + (otherPhase?.perIteration[keyPath: part] ?? 0) * others
    }
    return Actions(
      reads: total(\.reads), writes: total(\.writes), outs: total(\.outs), stores: total(\.stores),
      halts: total(\.halts), cpuids: total(\.cpuids))
  }
}

extension Workload {
  /// A primitive: the loop around one instruction, which `baseline` has without it.
  init(
    primitive name: Name, _ summary: String, msr: UInt32 = Self.speculationControl, actions: Actions,
    baseline: (@Sendable (inout Assembler) -> Void)? = nil, body: @escaping @Sendable (inout Assembler) -> Void
  ) {
    self.init(name: name, summary: summary, entries: [.none], msr: msr)
    perIteration = actions
    baselineBody = baseline
    self.body = body
  }

  /// The same loop without the instruction that a primitive is about; nil for what is no primitive, and for a baseline.
  public var baseline: Workload? {
    guard name.kind == .primitive, !isBaseline else { return nil }
    var workload = self
    workload.isBaseline = true
    workload.perIteration = Actions()
    workload.body = baselineBody
    workload.writtenBits = 0
    return workload
  }
}

extension Assembler {
  /// WRMSR of a constant; changes EAX, ECX and EDX.
  mutating func writeMSR(_ msr: UInt32, _ value: UInt64, _ comment: String) {
    prepareWriteMSR(msr, value, comment)
    wrmsr()
  }

  /// What stands before a WRMSR of a constant.
  mutating func prepareWriteMSR(_ msr: UInt32, _ value: UInt64, _ comment: String) {
    mov(.ecx, msr, comment)
    mov(.eax, UInt32(truncatingIfNeeded: value))
    if value >> 32 == 0 { xor(.edx, .edx) } else { mov(.edx, UInt32(truncatingIfNeeded: value >> 32)) }
  }
}
