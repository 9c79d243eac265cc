// What a policy needs to know of a host. Each fact was proved by trying.

/// What a host was proved to do with one MSR.
public struct HostAbilities: Equatable, Codable, Sendable {
  /// The policy's MSR.
  public let subject: MSR
  /// Whether a vCPU holds a value of that MSR.
  public let register: RegisterProof
  /// Whether the processor keeps indirect branches restricted all the time (IA32_ARCH_CAPABILITIES.IBRS_ALL).
  public let hasIBRSAll: Bool
  /// Whether the host's kernel uses AMD's automatic IBRS, and KVM offers it to guests.
  ///
  /// The kernel of a guest that turns it on in its own IA32_EFER is restricted whatever is written to SPEC_CTRL.
  /// It is no part of what another host is told.
  public private(set) var hasAutomaticIBRS = false
  /// Whether KVM can hand MSR accesses to the VMM (KVM_CAP_X86_USER_SPACE_MSR and KVM_CAP_X86_MSR_FILTER).
  public let canInterceptMSRs: Bool
  /// What the host's kernel keeps set in IA32_SPEC_CTRL, as far as a vCPU was proved to take it; IBRS where nothing
  /// more is known.
  ///
  /// It is no part of what another host is told: it restricts the guests that run here.
  public private(set) var hostBits: SpecCtrl = .ibrs
  /// How KVM switches IA32_SPEC_CTRL between host and guest, by what its module says; nil where it says nothing.
  ///
  /// It is no part of what another host is told, either.
  public private(set) var specCtrlMode: SpecCtrlMode?
  /// The bits that VMX's mask keeps set in the register of every guest, where KVM uses it; else none.
  public private(set) var hardwareMask: SpecCtrl = []

  /// The abilities as given.
  package init(
    subject: MSR, register: RegisterProof, hasIBRSAll: Bool, canInterceptMSRs: Bool, hostBits: SpecCtrl = .ibrs,
    specCtrlMode: SpecCtrlMode? = nil, hardwareMask: SpecCtrl = [], hasAutomaticIBRS: Bool = false
  ) {
    self.subject = subject
    self.register = register
    self.hasIBRSAll = hasIBRSAll
    self.canInterceptMSRs = canInterceptMSRs
    self.hostBits = hostBits.union(.ibrs)
    self.specCtrlMode = specCtrlMode
    self.hasAutomaticIBRS = hasAutomaticIBRS
    self.hardwareMask = hardwareMask
  }

  private enum CodingKeys: CodingKey { case subject, register, hasIBRSAll, canInterceptMSRs }
}

extension HostAbilities {
  /// Whether IBRS can be kept on in the register, whatever the guest writes.
  var canKeepIBRSOn: Bool { subject == .specCtrl && hasIBRSAll && register.isHeld }

  /// Who carries out a policy that names a mechanism of the hardware, on such a host; nil for any other policy.
  public func mechanism(of policy: PolicyName) -> PolicyMechanism? {
    // KVM's lists and its mask are of this register alone.
    PolicyMechanism(of: policy, in: subject == .specCtrl && register.isHeld ? specCtrlMode : nil)
  }

  /// What is kept on in the guest's register where that restricts it whatever it writes; empty where it does not.
  package var keptOn: SpecCtrl { canKeepIBRSOn ? hostBits : [] }

  /// The same in words, for a host that can keep IBRS on.
  var keptOnText: String {
    hostBits == .ibrs
      ? "IBRS is kept on in hardware that has IBRS_ALL"
      : "\(hostBits.names.joined(separator: ", ")) (\(hostBits.rawValue.hex), as the host's kernel has it) are kept on in "
        + "hardware that has IBRS_ALL"
  }

  /// How VMX's mask protects every guest whose writes are not trapped; nil where KVM uses none.
  var hardwareProtection: Protection? {
    guard mechanism(of: .shadow) == .hardware, !hardwareMask.isEmpty else { return nil }
    let kept =
      "\(hardwareMask.names.joined(separator: ", ")) \(hardwareMask.rawValue.nonzeroBitCount == 1 ? "is" : "are") kept on by "
      + "VMX's mask, without an exit (spec_ctrl_mode 2, spec_ctrl_mask \(hardwareMask.rawValue.hex))"
    guard hardwareMask.contains(.ibrs) else {
      return Protection(.maskedBits, "\(kept), and IBRS is not among them")
    }
    guard hasIBRSAll else {
      return Protection(
        .maskedBits,
        "\(kept); but without IBRS_ALL it is the write at each kernel entry that restricts, and the guest's writes of IBRS "
          + "do not reach the register")
    }
    return Protection(.always, "\(kept); the other bits are the guest's")
  }
}
