// What a policy needs to know of a host. Each fact was proved by trying.

/// What a host was proved to do with one MSR.
public struct HostAbilities: Equatable, Codable, Sendable {
  /// The policy's MSR.
  public let subject: MSR
  /// Whether a vCPU holds a value of that MSR.
  public let register: RegisterProof
  /// Whether the processor keeps indirect branches restricted all the time (IA32_ARCH_CAPABILITIES.IBRS_ALL).
  public let hasIBRSAll: Bool
  /// Whether KVM can hand MSR accesses to the VMM (KVM_CAP_X86_USER_SPACE_MSR and KVM_CAP_X86_MSR_FILTER).
  public let canInterceptMSRs: Bool
  /// What the host's kernel keeps set in IA32_SPEC_CTRL, as far as a vCPU was proved to take it; IBRS where nothing
  /// more is known.
  ///
  /// It is no part of what another host is told: it restricts the guests that run here.
  public private(set) var hostBits: SpecCtrl = .ibrs

  /// The abilities as given.
  package init(
    subject: MSR, register: RegisterProof, hasIBRSAll: Bool, canInterceptMSRs: Bool, hostBits: SpecCtrl = .ibrs
  ) {
    self.subject = subject
    self.register = register
    self.hasIBRSAll = hasIBRSAll
    self.canInterceptMSRs = canInterceptMSRs
    self.hostBits = hostBits.union(.ibrs)
  }

  private enum CodingKeys: CodingKey { case subject, register, hasIBRSAll, canInterceptMSRs }
}

extension HostAbilities {
  /// Whether IBRS can be kept on in the register, whatever the guest writes.
  var canKeepIBRSOn: Bool { subject == .specCtrl && hasIBRSAll && register.isHeld }

  /// What is kept on in the guest's register where that restricts it whatever it writes; empty where it does not.
  package var keptOn: SpecCtrl { canKeepIBRSOn ? hostBits : [] }

  /// The same in words, for a host that can keep IBRS on.
  var keptOnText: String {
    hostBits == .ibrs
      ? "IBRS is kept on in hardware that has IBRS_ALL"
      : "\(hostBits.names.joined(separator: ", ")) (\(hostBits.rawValue.hex), as the host's kernel has it) are kept on in "
        + "hardware that has IBRS_ALL"
  }
}
