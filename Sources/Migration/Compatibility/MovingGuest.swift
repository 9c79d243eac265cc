// The guest that is to move: all that the decision wants to know of it.

public import Hypervisor

/// A guest as it stands at the source.
public struct MovingGuest: Equatable, Sendable {
  /// What it was told, as read back from KVM: a KVM may drop bits in silence.
  public var contract: GuestContract
  /// The policy that it ran under at the source.
  public var policy: PolicyName
  /// The MSR that the policy is about.
  public var subject: MSR
  /// How it was protected at the source.
  public var protection: Protection.Level
  /// The bits of what it wrote last to IA32_SPEC_CTRL.
  ///
  /// They prove nothing about what it does not use: a guest that restricts by hand has written 0 while user mode runs.
  public var inUse: SpecCtrl
  /// Whether IA32_PRED_CMD took its barriers at the source (`HostOffer.hasIBPB` there): the bit SPEC_CTRL of CPUID
  /// stands for it, and a policy may have told that bit where there is no barrier.
  public var hasIBPB: Bool
  /// Whether a trapped write of the register by the guest was counted.
  public var hasWritten: Bool
  /// The feature MSRs that it can know.
  public var featureMSRs: FeatureMSRs
  /// The rate of its time-stamp counter in kHz, nil where it is not known.
  public var tscKilohertz: Int?

  /// A guest that stands like this at the source.
  public init(
    contract: GuestContract, policy: PolicyName, subject: MSR, protection: Protection.Level, inUse: SpecCtrl,
    hasIBPB: Bool, hasWritten: Bool = false, featureMSRs: FeatureMSRs = FeatureMSRs(), tscKilohertz: Int? = nil
  ) {
    self.contract = contract
    self.policy = policy
    self.subject = subject
    self.protection = protection
    self.inUse = inUse
    self.hasIBPB = hasIBPB
    self.hasWritten = hasWritten
    self.featureMSRs = featureMSRs.known(by: contract.cpuid)
    self.tscKilohertz = tscKilohertz
  }

  /// Whether the guest was told of IBRS_ALL.
  var wasToldIBRSAll: Bool { contract.told.contains(.ibrsAll) }
}
