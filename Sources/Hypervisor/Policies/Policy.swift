// What a SPEC_CTRL policy is: which MSRs it intercepts, what it tells the guest, and what it does at each exit.
// Facts: Intel SDM vol. 4, IA32_SPEC_CTRL and IA32_ARCH_CAPABILITIES; KVM API document, section 7.21.

/// How a hypervisor virtualises one MSR, the subject: IA32_SPEC_CTRL unless another is chosen.
///
/// The run loop is specialised for the policy, so a requirement that does nothing costs nothing.
public protocol Policy: ~Copyable {
  /// The policy's name in messages.
  static var name: String { get }
  /// Who carries out a mechanism of the hardware that the policy names; nil if it names none.
  static var mechanism: PolicyMechanism? { get }
  /// The MSR that the policy virtualises.
  var subject: MSR { get }
  /// The MSRs whose accesses by the guest exit to the VMM.
  var intercepts: [MSR] { get }
  /// Whether `intercepts` may change while the guest runs.
  var changesIntercepts: Bool { get }
  /// The MSRs besides the subject that guests must be proved to have.
  var otherRegisters: [MSR] { get }
  /// Whether it needs `Terms.adaptiveCosts` if it may open the register (`Terms.mayOpen`).
  var weighsCosts: Bool { get }
  /// Takes the terms of the run; called at most once, before everything else.
  mutating func settle(on terms: Terms) throws(PolicyError)
  /// The contract that the policy wants for the guest, made from KVM's offer.
  func contract(from offer: GuestContract) -> GuestContract
  /// Takes the requested contract; called once, before `prepare`.
  mutating func accept(_ contract: GuestContract)
  /// Prepares the vCPU; called once, when it has its CPUID and has not run yet.
  mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError)
  /// State to restore on another host, besides the MSR's value: named numbers.
  var state: [String: UInt64] { get }
  /// Restores `state` for a guest that ran elsewhere under the same policy; called at most once, after `prepare`.
  ///
  /// The state may come from a file: a policy must tolerate any numbers.
  mutating func adopt(_ state: [String: UInt64])
  /// Restores the subject's value for a guest that ran elsewhere; called at most once, after that.
  mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError)
  /// Answers an intercepted RDMSR.
  mutating func read(_ msr: MSR) -> MSRReply
  /// Answers an intercepted WRMSR.
  mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply
  /// Reads what the first entry needs of the vCPU's registers, if that has not been done; else the first entry does it,
  /// when a failure may come too late.
  mutating func start(_ cpu: borrowing VirtualCPU) throws(PolicyError)
  /// Called before each KVM_RUN.
  mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine) throws(PolicyError)
  /// Called after each KVM_RUN.
  mutating func didExit(_ cpu: inout VirtualCPU) throws(PolicyError)
  /// The subject as the guest would read it, and as the vCPU holds it.
  func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue

  /// What the policy did besides answering exits: a name and a count each.
  var tally: [(name: String, count: UInt64)] { get }

  /// Whether a host can honour this policy on these terms, and how the guest is protected.
  static func support(on terms: Terms) -> PolicySupport
  /// The same for this value, which may have a configuration of its own.
  func support(on terms: Terms) -> PolicySupport
}

extension Policy where Self: ~Copyable {
  public static var name: String { "custom" }
  public static var mechanism: PolicyMechanism? { nil }
  public var otherRegisters: [MSR] { [] }
  public var weighsCosts: Bool { false }
  public mutating func settle(on terms: Terms) throws(PolicyError) {}
  public func support(on terms: Terms) -> PolicySupport { Self.support(on: terms) }
  public var changesIntercepts: Bool { false }
  public var state: [String: UInt64] { [:] }
  public mutating func adopt(_ state: [String: UInt64]) {}
  public var tally: [(name: String, count: UInt64)] { [] }
  @inlinable public func contract(from offer: GuestContract) -> GuestContract { offer }
  @inlinable public mutating func accept(_ contract: GuestContract) {}
  @inlinable public mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {}
  @inlinable public mutating func start(_ cpu: borrowing VirtualCPU) throws(PolicyError) {}
  @inlinable public mutating func read(_ msr: MSR) -> MSRReply { .fault }
  @inlinable public mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply { .fault }
  @inlinable public mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine)
    throws(PolicyError)
  {}
  @inlinable public mutating func didExit(_ cpu: inout VirtualCPU) throws(PolicyError) {}
}

extension Policy where Self: ~Copyable {
  /// How the guest is protected on these terms.
  ///
  /// - Throws: `PolicyError.refused` when the host cannot honour the policy.
  func protection(on terms: Terms) throws(PolicyError) -> Protection {
    try support(on: terms).protection(under: Self.name)
  }
}

/// What a guest is told of the processor: CPUID, and IA32_ARCH_CAPABILITIES where CPUID announces it.
public struct GuestContract: Equatable, Sendable {
  public var cpuid: CPUIDModel
  public var archCapabilities: ArchCapabilities

  /// The contract of this CPUID and these capabilities.
  public init(cpuid: CPUIDModel, archCapabilities: ArchCapabilities) {
    self.cpuid = cpuid
    self.archCapabilities = archCapabilities
  }

  /// All that KVM offers on this host.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public init(offeredBy kvm: borrowing KVM) throws(KVMError) {
    self.init(
      cpuid: try kvm.supportedCPUID(),
      archCapabilities: ArchCapabilities(rawValue: try kvm.featureMSR(.archCapabilities) ?? 0))
  }

  /// Whether the guest is told that indirect branches are restricted all the time.
  var tellsIBRSAll: Bool { cpuid.has(.archCapabilities) && archCapabilities.contains(.ibrsAll) }
}

/// The subject MSR at one moment.
public struct SubjectValue: Codable, Equatable, Sendable {
  /// What the guest would read; nil if the MSR is write-only.
  public let guest: UInt64?
  /// What the vCPU's register holds; nil if KVM does not read it.
  public let register: UInt64?

  /// The pair of the guest's view and the register.
  public init(guest: UInt64?, register: UInt64?) {
    self.guest = guest
    self.register = register
  }
}

/// Whether a host can honour a policy.
public enum PolicySupport: Equatable, Sendable {
  /// It can, with this protection.
  case supported(Protection)
  /// It cannot, for this reason.
  case refused(String)
}

extension PolicySupport {
  /// The protection under the policy of this name.
  ///
  /// - Throws: `PolicyError.refused` when the host cannot honour it.
  func protection(under policy: String) throws(PolicyError) -> Protection {
    switch self {
    case .supported(let protection): return protection
    case .refused(let reason): throw .refused(policy: policy, reason: reason)
    }
  }

  /// The refusal of a policy that must intercept the MSR; nil if KVM can.
  static func refusalToIntercept(on abilities: HostAbilities) -> PolicySupport? {
    abilities.canInterceptMSRs
      ? nil : .refused("this KVM cannot pass MSR accesses to the VMM (KVM_CAP_X86_USER_SPACE_MSR, since Linux 5.10)")
  }

  /// The support of a policy whose guest owns the register while it runs.
  static func ofOwnedRegister(_ abilities: HostAbilities) -> PolicySupport {
    if let reason = abilities.register.refusal(of: abilities.subject) { return .refused(reason) }
    guard abilities.subject == .specCtrl else { return .supported(.notApplicable(abilities.subject)) }
    return .supported(
      abilities.hardwareProtection ?? Protection(.guest, "the guest's own writes reach the register"))
  }
}

/// How a policy protects a guest on a host.
public struct Protection: Equatable, Sendable {
  public typealias Level = ProtectionLevel

  /// How far it goes.
  public let level: Level
  /// Why, in one sentence.
  public let reason: String

  /// A level with its reason.
  public init(_ level: Level, _ reason: String) {
    self.level = level
    self.reason = reason
  }

  /// Whether a guest with this contract may rely on a protection that a policy for this MSR does not give it.
  public func misleads(guestTold contract: GuestContract, about subject: MSR) -> Bool {
    level == .none && subject == .specCtrl && contract.tellsIBRSAll
  }

  /// This protection with a warning added if the contract, as read back from KVM, misleads the guest.
  public func given(_ contract: GuestContract, about subject: MSR) -> Protection {
    guard misleads(guestTold: contract, about: subject) else { return self }
    return Protection(
      level,
      reason + "; but the guest is told IBRS_ALL, and if it relies on that it is worse off than under no policy")
  }

  /// The protection of a policy that traps the writes of an MSR other than IA32_SPEC_CTRL.
  static func ofTrappedWrites(_ subject: MSR) -> Protection {
    subject.isCommand
      ? Protection(.none, "each write of \(subject) is a barrier, which this policy drops")
      : notApplicable(subject)
  }

  /// The protection of every other policy whose subject is not IA32_SPEC_CTRL.
  static func notApplicable(_ subject: MSR) -> Protection {
    Protection(.notApplicable, "\(subject) does not restrict speculation; this run measures, it does not protect")
  }
}

/// Why a policy failed.
public enum PolicyError: Error, Equatable, Sendable {
  /// The host cannot honour the policy.
  case refused(policy: String, reason: String)
  /// The policy would protect nothing on this host, and that is not accepted.
  case unprotected(policy: String, reason: String)
  /// An MSR list breaks a rule of the hardware.
  case list(AutoloadListError)
  /// The VM entry was aborted: entry `index` (from 1, as the hardware counts) of the entry-load list failed.
  case entryLoad(index: Int, MSREntry)
  /// Entry `index` (from 1) of the exit-store list failed.
  case exitStore(index: Int, MSR)
  /// Entry `index` (from 1) of the exit-load list failed.
  case exitLoad(index: Int, MSREntry)
  /// KVM refused an access that the policy needs.
  case msr(MSRAccessError)
  /// KVM refused a change of what is intercepted.
  case filter(MSRFilterError)
}

extension PolicyError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .refused(let policy, let reason): "policy \(policy) cannot run on this host: \(reason)"
    case .unprotected(let policy, let reason):
      "policy \(policy) does not protect its guest on this host, and that was not accepted: \(reason)"
    case .list(let error): "\(error)"
    case .entryLoad(let index, let entry):
      "VM entry aborted: entry \(index) of the entry-load list, \(entry.msr) = \(entry.value.hex), failed"
    case .exitStore(let index, let msr): "entry \(index) of the exit-store list, \(msr), failed"
    case .exitLoad(let index, let entry):
      "entry \(index) of the exit-load list, \(entry.msr) = \(entry.value.hex), failed"
    case .msr(let error): "\(error)"
    case .filter(let error): "\(error)"
    }
  }
}
