// The work of a guest's kernel at each entry, as a value: its code, and the number of its countable actions.

public import Registers

/// What a guest's kernel does each time it is entered.
public struct Workload: Sendable {
  public typealias Name = WorkloadName

  /// The kind of a workload.
  public enum Kind: String, CaseIterable, Sendable {
    /// What a kernel does at its entries.
    case workload
    /// One instruction in a loop without user mode, to be compared with its `baseline`.
    case primitive
  }

  /// The actions of guest code that can be counted from outside.
  public struct Actions: Equatable, Sendable {
    /// RDMSR and WRMSR of the workload's MSR.
    public var reads: UInt64 = 0
    public var writes: UInt64 = 0
    /// OUT to `Port.chatter`, or to `Port.interrupt`.
    public var outs: UInt64 = 0
    /// Of those, to `Port.interrupt`: KVM_RUN is called once more for each, and enters no guest.
    public var interruptions: UInt64 = 0
    /// Stores to `Layout.device`.
    public var stores: UInt64 = 0
    public var halts: UInt64 = 0
    /// CPUID, which KVM completes by itself where it exits.
    public var cpuids: UInt64 = 0

    /// These numbers of actions.
    public init(
      reads: UInt64 = 0, writes: UInt64 = 0, outs: UInt64 = 0, stores: UInt64 = 0, halts: UInt64 = 0,
      cpuids: UInt64 = 0,
      interruptions: UInt64 = 0
    ) {
      self.reads = reads
      self.writes = writes
      self.outs = outs
      self.stores = stores
      self.halts = halts
      self.cpuids = cpuids
      self.interruptions = interruptions
    }
  }

  /// A number of entries at which the kernel does something else.
  public struct Phase: Equatable, Sendable {
    /// The entries of this phase, and of those before and after it.
    public let length: UInt64
    public let perIteration: Actions

    /// How many of the first `iterations` entries fall into phases of this kind; the other kind comes first.
    func entries(of iterations: UInt64) -> UInt64 {
      let (pairs, rest) = iterations.quotientAndRemainder(dividingBy: 2 * length)
      return pairs * length + (rest > length ? rest - length : 0)
    }
  }

  /// Its name in results; a user's own guest may have any name.
  public let name: Known<Name>
  public let kind: Kind
  /// A description in one line.
  public let summary: String
  /// The entries that it runs with, the preferred one first.
  public let entries: [Entry]
  /// The MSR that the workload accesses, if it accesses one.
  public private(set) var msr: MSR
  /// The chosen parameters.
  public internal(set) var parameters: [Parameter: Int] = [:]
  /// Whether all iterations do the same work, so that the time of one is meaningful.
  public internal(set) var isUniform = true
  /// Whether this is the loop of a primitive without its instruction.
  public private(set) var isBaseline = false
  /// The bits that its writes set; a guest whose CPUID lacks them would not write them.
  public internal(set) var writtenBits: UInt64 = 0
  /// What the kernel does once, before user mode runs.
  public var atBoot = Actions()
  /// What the kernel does at each entry.
  public var perIteration = Actions()
  /// What it does in every second phase; nil if it has no phases.
  public internal(set) var otherPhase: Phase?

  /// The code that the kernel runs once; may change RAX, RBX, RCX and RDX, and leave something in R12 and R14 for the
  /// body.
  var boot: @Sendable (inout Assembler) -> Void = { _ in }
  /// The code that the kernel runs at each entry; may change RAX, RCX and RDX, and R8 under the entry `none`; R12 and
  /// R14 are its own.
  var body: (@Sendable (inout Assembler) -> Void)?
  /// A primitive's loop without its instruction: the body of its baseline.
  var baselineBody: (@Sendable (inout Assembler) -> Void)?
  /// Code that the body calls.
  var routines: @Sendable (inout Assembler) -> Void = { _ in }
  /// Whether the body uses the stack, which SYSCALL does not switch.
  var needsStack = false

  /// The workload of this name.
  ///
  /// The MSR is IA32_SPEC_CTRL unless one is given or the workload has its own. A parameter that is not chosen has its
  /// default; a chosen value must be valid.
  public init(_ name: Name, msr: MSR? = nil, choosing chosen: [Parameter: Int] = [:]) {
    let msr = msr ?? name.ownMSR ?? .specCtrl
    func value(_ parameter: Parameter) -> Int { chosen[parameter] ?? parameter.usual }
    switch name {
    case .bare: self = .bare
    case .ibrs:
      self = .ibrs(
        msr, writes: value(.writesPerEntry), exits: value(.exitsPerEntry), userBranches: value(.userBranches))
    case .ibrsAll: self = .ibrsAll(msr, userBranches: value(.userBranches))
    case .ibrsForced: self = .ibrsForced(msr, userBranches: value(.userBranches))
    case .ibrsZero: self = .ibrsZero(msr)
    case .retpoline: self = .retpoline(exits: value(.exitsPerEntry))
    case .indirect: self = .indirect
    case .ibpb: self = .ibpb(msr)
    case .ssbd: self = .ssbd(msr)
    case .chatty: self = .chatty
    case .phases: self = .phases(msr, length: value(.phaseLength))
    case .probe: self = .probe
    case .wrmsr: self = .wrmsr(msr)
    case .rdmsr: self = .rdmsr(msr)
    case .cpuid: self = .cpuid
    case .out: self = .out
    case .outTwice: self = .outTwice
    case .outInterrupted: self = .outInterrupted
    case .mmio: self = .mmio
    case .hlt: self = .hlt
    case .delay: self = .delay(value(.instructions))
    }
    self.msr = msr
  }

  init(
    name: Name, kind: Kind = .workload, summary: String, entries: [Entry] = Entry.allCases, msr: MSR = .specCtrl
  ) {
    self.init(named: .known(name), kind: kind, summary: summary, entries: entries, msr: msr)
  }

  init(named name: Known<Name>, kind: Kind = .workload, summary: String, entries: [Entry], msr: MSR) {
    self.name = name
    self.kind = kind
    self.summary = summary
    self.entries = entries
    self.msr = msr
  }

  /// The number of indirect branches in user mode before each kernel entry.
  public var userBranches: Int { parameters[.userBranches] ?? 0 }

  /// Whether it accesses its MSR at all.
  public var accessesMSR: Bool {
    [atBoot, perIteration].contains { $0.reads + $0.writes > 0 }
  }

  /// The guest's actions in all, over `iterations` iterations.
  public func actions(iterations: UInt64) -> Actions {
    let others = otherPhase?.entries(of: iterations) ?? 0
    func total(_ part: KeyPath<Actions, UInt64>) -> UInt64 {
      atBoot[keyPath: part] + perIteration[keyPath: part] * (iterations - others)
        + (otherPhase?.perIteration[keyPath: part] ?? 0) * others
    }
    return Actions(
      reads: total(\.reads), writes: total(\.writes), outs: total(\.outs), stores: total(\.stores),
      halts: total(\.halts), cpuids: total(\.cpuids), interruptions: total(\.interruptions))
  }
}

extension Workload {
  /// A primitive: the loop around one instruction, which `baseline` has without it.
  init(
    primitive name: Name, _ summary: String, msr: MSR = .specCtrl, actions: Actions,
    baseline: (@Sendable (inout Assembler) -> Void)? = nil, body: @escaping @Sendable (inout Assembler) -> Void
  ) {
    self.init(name: name, kind: .primitive, summary: summary, entries: [.none], msr: msr)
    perIteration = actions
    baselineBody = baseline
    self.body = body
  }

  /// The same loop without the primitive's instruction; nil for a workload that is no primitive, and for a baseline.
  public var baseline: Workload? {
    guard kind == .primitive, !isBaseline else { return nil }
    var workload = self
    workload.isBaseline = true
    workload.perIteration = Actions()
    workload.body = baselineBody
    workload.writtenBits = 0
    return workload
  }
}

extension WorkloadName {
  /// Whether it is the work of a kernel or a single instruction.
  public var kind: Workload.Kind { Workload(self).kind }

  /// The single instructions whose cost describes the host.
  public static var hostPrimitives: [Self] { allCases.filter { $0.kind == .primitive && $0 != .delay } }

  /// The MSR that it always accesses; nil if it accesses the policy's MSR.
  public var ownMSR: MSR? { self == .ibpb ? .predCmd : nil }
}

extension Assembler {
  /// WRMSR of a constant; changes EAX, ECX and EDX.
  mutating func writeMSR(_ msr: MSR, _ value: UInt64, _ comment: String) {
    prepareWriteMSR(msr, value, comment)
    wrmsr()
  }

  /// Loads the registers for a WRMSR of a constant.
  mutating func prepareWriteMSR(_ msr: MSR, _ value: UInt64, _ comment: String) {
    mov(.ecx, msr.rawValue, comment)
    mov(.eax, UInt32(truncatingIfNeeded: value))
    if value >> 32 == 0 { xor(.edx, .edx) } else { mov(.edx, UInt32(truncatingIfNeeded: value >> 32)) }
  }
}
