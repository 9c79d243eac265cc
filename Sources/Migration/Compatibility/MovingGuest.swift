// The guest that is to move: everything that the decision needs to know of it.

public import Hypervisor

/// A guest at the source.
public struct MovingGuest: Equatable, Sendable {
  /// What it was told, as read back from KVM.
  public var contract: GuestContract
  /// The policy that it ran under at the source.
  public var policy: PolicyName
  /// The policy's MSR.
  public var subject: MSR
  /// How it was protected at the source.
  public var protection: Protection.Level
  /// The bits that it wrote last to IA32_SPEC_CTRL.
  ///
  /// A missing bit proves nothing: a guest that writes IBRS at each kernel entry has written 0 while user mode runs.
  public var inUse: SpecCtrl
  /// Whether IBPB worked at the source (`HostOffer.hasIBPB`): CPUID's SPEC_CTRL announces it, and a policy may have
  /// added that bit on a host without the barrier.
  public var hasIBPB: Bool
  /// Whether a trapped write of the register by the guest was counted.
  public var hasWritten: Bool
  /// The feature MSRs that it can know.
  public var featureMSRs: FeatureMSRs
  /// The rate of its time-stamp counter in kHz; nil if unknown.
  public var tscKilohertz: Int?

  /// A guest with these properties at the source.
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
  var wasToldIBRSAll: Bool { contract.announcedCapabilities.contains(.ibrsAll) }
}

extension MovingGuest {
  /// A guest that a host would start under a policy, told everything that the policy tells there; nil if the host
  /// cannot run the policy.
  ///
  /// It has set IBRS, if it was told of the register.
  public init?(startedAt host: HostOffer, under policy: PolicyName) {
    guard case .supported(let protection) = policy.support(on: Terms(host.abilities)) else { return nil }
    self.init(startedAt: host, under: policy, protectedBy: protection)
  }

  /// The same, with the protection already known.
  init(startedAt host: HostOffer, under policy: PolicyName, protectedBy protection: Protection) {
    let contract = host.contract(under: policy, on: Terms(host.abilities))
    self.init(
      contract: contract, policy: policy, subject: host.abilities.subject, protection: protection.level,
      inUse: SpecCtrl.writable(on: contract.cpuid).intersection(.ibrs), hasIBPB: host.hasIBPB,
      featureMSRs: host.featureMSRs ?? FeatureMSRs(), tscKilohertz: host.clock?.kilohertz)
  }
}
