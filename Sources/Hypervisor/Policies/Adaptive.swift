// adaptive: starts as emulate, opens the register to a guest whose trapped writes cost more than a switch would, and
// closes it again when the guest stops writing. AdaptiveRule decides, by this host's costs. KVM on VMX itself
// intercepts SPEC_CTRL until a value other than 0 is written, and decides again at each change of the filter (Linux
// arch/x86/kvm/vmx/vmx.c, vmx_msr_filter_changed).
// Facts: KVM API document, sections 4.97 (KVM_X86_SET_MSR_FILTER, at any time) and 5 (KVM_EXIT_X86_WRMSR: the next
// KVM_RUN retires the instruction and writes no register).

/// The policy `adaptive`.
///
/// Invariant: the guest's value is in the shadow while the register is closed, and in the register while it is open, so
/// that the guest always reads what it wrote last.
public struct Adaptive: Policy {
  /// The closed state.
  @usableFromInline var emulate: Emulate
  @usableFromInline var rule: AdaptiveRule
  /// Whether the register may ever be opened.
  public var opens: Bool { rule.costs.access > 0 }
  /// What the register holds while it is closed.
  private var resting: UInt64 = 0

  public static var name: String { PolicyName.adaptive.rawValue }
  @inlinable public var subject: MSR { emulate.subject }
  @inlinable public var intercepts: [MSR] { [subject] }
  public var changesIntercepts: Bool { opens }

  /// A policy that opens and closes the register by the costs on its host, or never where it may not (see `support`).
  public init(subject: MSR = .specCtrl) { self.init(subject: subject, costs: nil) }

  /// A policy that opens and closes the register by these costs, or never if they are nil; `keepingIBRSOn` applies
  /// while the register is closed.
  package init(subject: MSR = .specCtrl, costs: AdaptiveCosts?, keepingIBRSOn: Bool = false) {
    emulate = Emulate(subject: subject, keeping: keepingIBRSOn ? .ibrs : [])
    rule = Self.rule(costs)
  }

  public var weighsCosts: Bool { true }

  /// Takes the costs, if the register may be opened.
  ///
  /// - Throws: `PolicyError.refused` when they were not measured.
  public mutating func settle(on terms: Terms) throws(PolicyError) {
    emulate.settle(on: terms)
    guard !terms.mayOpen || terms.adaptiveCosts != nil else {
      throw .refused(policy: Self.name, reason: "the costs that it compares were not measured on this host")
    }
    rule = Self.rule(terms.mayOpen ? terms.adaptiveCosts : nil)
  }

  private static func rule(_ costs: AdaptiveCosts?) -> AdaptiveRule {
    AdaptiveRule(costs ?? AdaptiveCosts(access: 0, exit: 0, price: 1, wholeExit: 1))
  }

  /// Whether the guest owns the register now.
  public var isOpen: Bool { rule.isOpen }

  /// The contract of `emulate` if the register is never opened, else KVM's offer.
  ///
  /// If it may be opened, the guest's writes matter, and a guest that is told of a missing IBRS_ALL would not write.
  public func contract(from offer: GuestContract) -> GuestContract { opens ? offer : emulate.contract(from: offer) }

  public mutating func accept(_ contract: GuestContract) { emulate.accept(contract) }

  public mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    do { if opens { emulate.shadow = try cpu.read(subject) } } catch { throw .msr(error) }
    try emulate.prepare(&cpu)
    do { if opens { resting = try cpu.read(subject) } } catch { throw .msr(error) }
  }

  public var state: [String: UInt64] { rule.state }

  public mutating func adopt(_ state: [String: UInt64]) { rule.adopt(state) }

  /// The register stays closed until the first entry, which opens it if it was open.
  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {
    try emulate.adopt(value, &cpu)
  }

  @inlinable public mutating func read(_ msr: MSR) -> MSRReply {
    rule.access()
    return emulate.read(msr)
  }

  @inlinable public mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply {
    rule.access()
    return emulate.write(msr, value)
  }

  @inlinable public mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine)
    throws(PolicyError)
  {
    if _slowPath(rule.entry()) { try switchRegister(&cpu, of: vm) }
  }

  /// Opens the register if it is closed, and closes it if it is open.
  ///
  /// A pending WRMSR retires at the next KVM_RUN and writes no register, so the switch is complete before the guest's
  /// next instruction.
  @usableFromInline @inline(never) mutating func switchRegister(
    _ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine
  ) throws(PolicyError) {
    if rule.isOpen {
      emulate.shadow = try cpu.close(subject, resting: resting, of: vm)
      rule.close()
    } else if try cpu.open(subject, handingOver: emulate.shadow, resting: resting, of: vm) {
      rule.open()
    } else {
      rule.refuse()
    }
  }

  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    guard rule.isOpen else { return try emulate.subjectValue(in: cpu) }
    let value = try cpu.read(subject)
    return SubjectValue(guest: value, register: value)
  }

  public var tally: [(name: String, count: UInt64)] {
    [("opens", rule.opens), ("closes", rule.closes), ("openAtEnd", rule.opens - rule.closes)]
  }
}

extension Adaptive {
  /// The protection of `emulate`, unless the register may be opened.
  public static func support(on terms: Terms) -> PolicySupport {
    guard case .supported(let closed) = Emulate.support(on: terms) else { return Emulate.support(on: terms) }
    let abilities = terms.abilities
    func never(_ why: String) -> PolicySupport {
      .supported(Protection(closed.level, "\(closed.reason); the register is never opened to the guest: \(why)"))
    }
    if let reason = abilities.register.refusal(of: abilities.subject) { return never(reason) }
    if abilities.subject.isPartOfMode {
      return never(
        "it holds the guest's mode, and KVM can execute a pending WRMSR twice if the mode changes before it has retired"
      )
    }
    if terms.wouldEndProtection {
      return never("that would end this protection (--accept-unprotected allows it)")
    }
    if let costs = terms.adaptiveCosts, costs.access == 0 {
      return never("trapping costs nothing extra here; \(costs)")
    }
    let costs = terms.adaptiveCosts.map { "; \($0)" + ($0.exit == 0 ? ", so it is not closed again" : "") } ?? ""
    guard abilities.subject == .specCtrl else {
      return .supported(Protection(closed.level, closed.reason + costs))
    }
    if abilities.hardwareMask.contains(.ibrs) {
      return .supported(
        Protection(closed.level, "\(closed.reason); while the register is open, VMX's mask keeps IBRS on" + costs))
    }
    return .supported(
      abilities.hasIBRSAll
        ? Protection(
          .guest,
          "WARNING: the protection of this host's IBRS_ALL is given up on request; IBRS is kept on only until the guest "
            + "writes often, then the guest owns the register" + costs)
        : Protection(
          .none,
          "the guest's writes reach the register only while it writes often; otherwise they change nothing" + costs))
  }
}

extension VirtualCPU {
  /// Opens a closed register to the guest: writes the guest's value, then lets accesses through.
  ///
  /// Returns false, with the resting value in the register, if the register does not hold the guest's value.
  ///
  /// - Throws: `PolicyError` when KVM refuses.
  package mutating func open(
    _ msr: MSR, handingOver value: UInt64, resting: UInt64, of vm: borrowing VirtualMachine
  ) throws(PolicyError) -> Bool {
    if value != resting {
      do { try write(msr, value) } catch {
        if case .unwritable = error { return false }
        throw .msr(error)
      }
      do {
        // KVM may report success and drop a value.
        guard try read(msr) == value else {
          try write(msr, resting)
          return false
        }
      } catch { throw .msr(error) }
    }
    do { try vm.setMSRFilter(MSRFilter()) } catch { throw .filter(error) }
    return true
  }

  /// Closes an open register: traps accesses, writes the resting value and returns the guest's.
  ///
  /// - Throws: `PolicyError` when KVM refuses.
  package mutating func close(_ msr: MSR, resting: UInt64, of vm: borrowing VirtualMachine) throws(PolicyError)
    -> UInt64
  {
    do { try vm.setMSRFilter(.denying([msr])) } catch { throw .filter(error) }
    do {
      let value = try read(msr)
      if value != resting { try write(msr, resting) }
      return value
    } catch { throw .msr(error) }
  }
}
