// The guest that a host would start: what it is told, and how it is protected before it ever moves.

public import Hypervisor

extension MovingGuest {
  /// A guest that was started at a host under a policy and told all that the policy tells there; nil where the host
  /// cannot run the policy.
  ///
  /// It has written IBRS last, where it was told of the register.
  public init?(startedAt host: HostOffer, under policy: PolicyName) {
    guard case .supported(let protection) = policy.support(on: Terms(host.abilities)) else { return nil }
    self.init(startedAt: host, under: policy, protectedBy: protection)
  }

  /// The same, where the policy is known to protect it in this way.
  init(startedAt host: HostOffer, under policy: PolicyName, protectedBy protection: Protection) {
    let contract = host.contract(under: policy, on: Terms(host.abilities))
    self.init(
      contract: contract, policy: policy, subject: host.abilities.subject, protection: protection.level,
      inUse: SpecCtrl.writable(on: contract.cpuid).intersection(.ibrs), hasIBPB: host.hasIBPB,
      featureMSRs: host.featureMSRs ?? FeatureMSRs(), tscKilohertz: host.clock?.kilohertz)
  }
}
