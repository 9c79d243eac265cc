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

  /// The abilities as given.
  package init(subject: MSR, register: RegisterProof, hasIBRSAll: Bool, canInterceptMSRs: Bool) {
    self.subject = subject
    self.register = register
    self.hasIBRSAll = hasIBRSAll
    self.canInterceptMSRs = canInterceptMSRs
  }
}

extension HostAbilities {
  /// Whether IBRS can be kept on in the register, whatever the guest writes.
  var canKeepIBRSOn: Bool { subject == .specCtrl && hasIBRSAll && register.isHeld }
}
