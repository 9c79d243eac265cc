// emulate: the register stays the host's. The guest's writes are trapped and change only a shadow value, which the
// guest's reads return. The guest is told of IBRS_ALL, so that it need not write at all.
// Facts: Intel SDM vol. 4, IA32_SPEC_CTRL; vol. 2, CPUID leaf 7; Linux arch/x86/kvm/x86.c (kvm_spec_ctrl_test_value).

/// The policy `emulate`.
///
/// It intercepts the subject alone. IA32_PRED_CMD stays with KVM: a write there is a barrier, and the guest relies on
/// it.
public struct Emulate: Policy {
  public let subject: MSR
  @inlinable public var intercepts: [MSR] { [subject] }
  /// What the guest wrote last.
  @usableFromInline var shadow: UInt64 = 0
  /// The bits whose write faults.
  @usableFromInline var reserved: UInt64 = 0
  /// The bits that stay set in the vCPU's register while the guest runs; empty if there are none.
  private var alwaysOn: SpecCtrl

  public static var name: String { PolicyName.emulate.rawValue }

  /// The policy for accesses of this MSR.
  ///
  /// On a host that can keep IBRS on (see `support`), it is kept on for the guest, with the other bits that the host's
  /// kernel keeps set for itself.
  public init(subject: MSR = .specCtrl) { self.init(subject: subject, keeping: []) }

  /// The policy with these bits kept set.
  package init(subject: MSR = .specCtrl, keeping bits: SpecCtrl) {
    self.subject = subject
    alwaysOn = subject == .specCtrl ? bits : []
  }

  public mutating func settle(on terms: Terms) { alwaysOn = terms.abilities.keptOn }

  /// Adds SPEC_CTRL and IBRS_ALL to what the guest is told, whatever the host has.
  ///
  /// CPUID's SPEC_CTRL bit stands for IBPB as well. On a host without IBPB the guest's write of IA32_PRED_CMD still
  /// faults: a barrier must not seem to work where there is none.
  public func contract(from offer: GuestContract) -> GuestContract {
    guard subject == .specCtrl else { return offer }
    var contract = offer
    contract.cpuid.set(.specCtrl, to: true)
    contract.cpuid.set(.archCapabilities, to: true)
    contract.archCapabilities.insert(.ibrsAll)
    return contract
  }

  public mutating func accept(_ contract: GuestContract) {
    reserved = SpecCtrl.reservedBits(of: subject, on: contract.cpuid)
  }

  /// Puts the host's bits into the vCPU's register before the first entry, and reads them back.
  ///
  /// KVM loads the vCPU's SPEC_CTRL at every entry, and a new vCPU's is 0. Without this the guest would run with IBRS
  /// off on hardware that could keep it on, although it was told that IBRS is always on. KVM also skips the load if the
  /// value equals the host's.
  public mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    guard !alwaysOn.isEmpty else { return }
    let held: UInt64
    do {
      try cpu.write(.specCtrl, alwaysOn.rawValue)
      held = try cpu.read(.specCtrl)
    } catch { throw .msr(error) }
    guard held == alwaysOn.rawValue else {
      throw .refused(
        policy: "emulate",
        reason: "\(alwaysOn) was set for the guest, and SPEC_CTRL reads back \(SpecCtrl(rawValue: held))")
    }
  }

  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) { shadow = value }

  @inlinable public mutating func read(_ msr: MSR) -> MSRReply { msr == subject ? .value(shadow) : .fault }

  @inlinable public mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply {
    guard msr == subject, value & reserved == 0 else { return .fault }
    shadow = value
    return .accept
  }

  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    SubjectValue(guest: shadow, register: try cpu.readIfPresent(subject))
  }

  public static func support(on terms: Terms) -> PolicySupport {
    let abilities = terms.abilities
    if let refusal = PolicySupport.refusalToIntercept(on: abilities) { return refusal }
    guard abilities.subject == .specCtrl else { return .supported(.ofTrappedWrites(abilities.subject)) }
    guard abilities.hasIBRSAll else {
      // SVM loads a guest's own IA32_EFER: the host's automatic IBRS does not hold for it, its own does.
      if abilities.hasAutomaticIBRS {
        return .supported(
          Protection(
            .guest,
            "the guest's writes change nothing; automatic IBRS, which this host uses and offers, restricts a guest whose "
              + "kernel turns it on in IA32_EFER"))
      }
      return .supported(
        Protection(
          .none,
          "the guest's writes change nothing, and this host has no IBRS_ALL: nothing is restricted"))
    }
    guard abilities.register.isHeld else {
      return .supported(
        Protection(.none, "the guest's writes change nothing, and SPEC_CTRL cannot be kept on for it on this host"))
    }
    return .supported(
      Protection(
        .always,
        "\(abilities.keptOnText); the guest's writes of any bit, STIBP and SSBD included, change nothing"))
  }
}

extension PolicyName {
  /// Whether the policy needs a vCPU that holds the register.
  ///
  /// `emulate` never gives the register to the guest, and keeps IBRS on in it only on a host with IBRS_ALL.
  package func needsRegister(hasIBRSAll: Bool) -> Bool { self != .emulate || hasIBRSAll }
}
