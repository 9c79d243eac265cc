// shadow: the host owns some bits of the register, the guest the rest. The shadow keeps the guest's whole write for its
// reads; the register gets the host's bits and the guest's others. This models VMX's "virtualize IA32_SPEC_CTRL"
// (tertiary control; the IA32_SPEC_CTRL mask and shadow), where the hardware does it without an exit; here each access
// exits to the VMM.
// Facts: Intel SDM vol. 3C, 25.6.2 (tertiary processor-based controls, bit 7), 26.3 (RDMSR and WRMSR under it).

/// The policy `shadow`.
///
/// Invariant: once prepared, the vCPU's register holds `value(forWritten: shadow)`, from the next entry on.
public struct Shadow: Policy {
  public let subject: MSR
  @inlinable public var intercepts: [MSR] { [subject] }
  /// The bits that the host owns.
  public private(set) var mask: UInt64
  /// The host's values of them; nil for what the vCPU's register holds before it runs.
  private var wanted: UInt64?
  /// Whether they are those that the host's kernel keeps on for itself.
  private let followsHost: Bool
  /// Whether there is a register; if not, there is only the shadow.
  private var hasRegister: Bool

  /// What the guest wrote last.
  @usableFromInline var shadow: UInt64 = 0
  /// What it wrote before that.
  @usableFromInline var previous: UInt64 = 0
  /// The bits whose write faults.
  @usableFromInline var reserved: UInt64 = 0
  /// The host's bits.
  @usableFromInline var kept: UInt64 = 0
  /// What the vCPU's register holds, and what it must hold at the next entry.
  @usableFromInline var held: UInt64 = 0
  @usableFromInline var next: UInt64 = 0
  /// How often the VMM wrote the vCPU's register, because the unmasked part had changed.
  public private(set) var registerWrites: UInt64 = 0

  /// A policy whose masked bits belong to the host.
  ///
  /// The host keeps `bits` in them, or what the register holds before the guest runs. The default is IBRS: kept on in
  /// IA32_SPEC_CTRL, unchanged in any other MSR; on a host that can keep it on, with what else the host's kernel keeps
  /// on for itself.
  public init(subject: MSR = .specCtrl, mask: UInt64? = nil, keeping bits: UInt64? = nil) {
    self.init(subject: subject, mask: mask, keeping: bits, hasRegister: true)
  }

  public static var name: String { PolicyName.shadow.rawValue }
  public static var mechanism: PolicyMechanism? { .model }

  public mutating func settle(on terms: Terms) {
    hasRegister = terms.abilities.register.isHeld
    guard followsHost, !terms.abilities.keptOn.isEmpty else { return }
    mask = terms.abilities.keptOn.rawValue
    wanted = mask
  }

  /// The same, with known `hasRegister`.
  package init(
    subject: MSR = .specCtrl, mask: UInt64? = nil, keeping bits: UInt64? = nil, hasRegister: Bool
  ) {
    self.subject = subject
    self.mask = mask ?? SpecCtrl.ibrs.rawValue
    self.hasRegister = hasRegister
    followsHost = subject == .specCtrl && mask == nil && bits == nil
    wanted = bits ?? (subject == .specCtrl ? SpecCtrl.ibrs.rawValue : nil)
  }

  /// What the register holds when the guest has written `value`.
  @inlinable func registerValue(forWritten value: UInt64) -> UInt64 { kept | value & ~mask }

  /// Adds SPEC_CTRL to what the guest is told, whatever the host has.
  public func contract(from offer: GuestContract) -> GuestContract {
    guard subject == .specCtrl else { return offer }
    var contract = offer
    contract.cpuid.set(.specCtrl, to: true)
    return contract
  }

  public mutating func accept(_ contract: GuestContract) {
    reserved = SpecCtrl.reservedBits(of: subject, on: contract.cpuid)
  }

  /// Writes the host's bits into the vCPU's register before the first entry, and reads them back.
  public mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    guard hasRegister else { return }
    do {
      held = try cpu.read(subject)
      shadow = held
      kept = (wanted ?? held) & mask
    } catch { throw .msr(error) }
    next = registerValue(forWritten: shadow)
    try establish(in: &cpu)
  }

  /// Combines the guest's bits from another host with the host's.
  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {
    shadow = value
    next = registerValue(forWritten: value)
    guard hasRegister else {
      held = next
      return
    }
    try establish(in: &cpu)
  }

  /// Writes the register and reads it back; this is not counted, because the guest changed nothing.
  private mutating func establish(in cpu: inout VirtualCPU) throws(PolicyError) {
    let counted = registerWrites
    do {
      try apply(to: &cpu)
      held = try cpu.read(subject)
    } catch { throw .msr(error) }
    registerWrites = counted
    guard held == next else {
      throw .refused(
        policy: "shadow",
        reason: "\(next.hex) was set for the guest, and \(held.hex) reads back")
    }
  }

  @inlinable public mutating func read(_ msr: MSR) -> MSRReply { msr == subject ? .value(shadow) : .fault }

  @inlinable public mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply {
    guard msr == subject, value & reserved == 0 else { return .fault }
    previous = shadow
    shadow = value
    next = registerValue(forWritten: value)
    return .accept
  }

  /// Writes the vCPU's register if the guest has changed a bit of its own.
  ///
  /// The guest's WRMSR retires at the entry after its exit, so the register is right before the guest's next
  /// instruction, and a value that the register does not accept can still become a #GP.
  @inlinable public mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine)
    throws(PolicyError)
  {
    if _slowPath(next != held) { try follow(&cpu) }
  }

  @usableFromInline @inline(never) mutating func follow(_ cpu: inout VirtualCPU) throws(PolicyError) {
    guard hasRegister else {
      held = next
      return
    }
    do { try apply(to: &cpu) } catch {
      guard case .unwritable = error else { throw .msr(error) }
      shadow = previous
      next = held
      cpu.answer(.fault)
    }
  }

  private mutating func apply(to cpu: inout VirtualCPU) throws(MSRAccessError) {
    guard next != held else { return }
    try cpu.write(subject, next)
    held = next
    registerWrites &+= 1
  }

  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    SubjectValue(guest: shadow, register: try cpu.readIfPresent(subject))
  }

  public var tally: [(name: String, count: UInt64)] { [("registerWrites", registerWrites)] }

  /// The protection with this mask; one that does not keep IBRS set leaves that to the guest.
  public func support(on terms: Terms) -> PolicySupport {
    let support = Self.support(on: terms)
    guard terms.abilities.subject == .specCtrl, case .supported(let protection) = support,
      protection.level == .always || protection.level == .maskedBits
    else { return support }
    guard mask & (wanted ?? 0) & SpecCtrl.ibrs.rawValue == 0 else { return support }
    return .supported(
      Protection(
        .maskedBits,
        "the host keeps \(SpecCtrl(rawValue: mask & (wanted ?? 0))) set of \(SpecCtrl(rawValue: mask)), and IBRS is not "
          + "among them"))
  }

  public static func support(on terms: Terms) -> PolicySupport {
    let abilities = terms.abilities
    if let refusal = PolicySupport.refusalToIntercept(on: abilities) { return refusal }
    guard abilities.subject == .specCtrl else { return .supported(.ofTrappedWrites(abilities.subject)) }
    guard abilities.register.isHeld else {
      return .supported(
        Protection(
          .none, "guests have no SPEC_CTRL on this host: the guest's writes change only the shadow"))
    }
    guard abilities.hasIBRSAll else {
      return .supported(
        Protection(
          .maskedBits,
          "IBRS stays set whatever the guest writes, but without IBRS_ALL it is the write at each kernel entry that "
            + "restricts, and the guest's writes of IBRS do not reach the register"))
    }
    return .supported(
      Protection(.always, "\(abilities.keptOnText); the other bits are the guest's"))
  }
}
