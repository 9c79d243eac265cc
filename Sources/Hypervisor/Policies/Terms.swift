// On which terms a guest runs under a policy: the facts about the host, the user's consent, and what is weighed. All that
// decides about a guest's protection is in this one value.

/// The terms of a run: what the host was proved to do, what the user accepts there, and what was measured.
public struct Terms: Equatable, Sendable {
  /// What the host was proved to do.
  public let abilities: HostAbilities
  /// Whether the user accepts that a policy gives up a protection which it could give here.
  public let acceptsUnprotected: Bool
  /// What `adaptive` weighs; nil where nobody has measured it.
  public let adaptiveCosts: AdaptiveCosts?

  /// The terms on a host with these abilities; where nothing else is said, nothing is accepted or measured.
  public init(_ abilities: HostAbilities, acceptsUnprotected: Bool = false, adaptiveCosts: AdaptiveCosts? = nil) {
    self.abilities = abilities
    self.acceptsUnprotected = acceptsUnprotected
    self.adaptiveCosts = adaptiveCosts
  }

  /// The terms on this host, its abilities proved by trying.
  ///
  /// Throws as `HostAbilities.init(provedOn:subject:)` does.
  public init(provedOn kvm: borrowing KVM, subject: MSR, acceptsUnprotected: Bool = false) throws {
    self.init(try HostAbilities(provedOn: kvm, subject: subject), acceptsUnprotected: acceptsUnprotected)
  }
}

extension Terms {
  /// These terms for a guest whose user has accepted so much before.
  public func accepting(_ accepted: Bool) -> Terms {
    Terms(abilities, acceptsUnprotected: acceptsUnprotected || accepted, adaptiveCosts: adaptiveCosts)
  }

  /// Whether opening the register would end a protection that `emulate` gives, and nobody accepts that.
  var wouldEndProtection: Bool { abilities.canKeepIBRSOn && !acceptsUnprotected }

  /// Whether `adaptive` may open the register.
  var mayOpen: Bool {
    abilities.canInterceptMSRs && abilities.register.isHeld && !wouldEndProtection && !abilities.subject.isPartOfMode
  }

  /// These terms with what a policy weighs by cost, measured where that is not known yet.
  ///
  /// Throws what making a VM to measure on throws, and `PolicyError.refused` when its guest fails.
  public func measured(for policy: PolicyName, on kvm: borrowing KVM) throws -> Terms {
    guard policy == .adaptive, mayOpen, adaptiveCosts == nil else { return self }
    return Terms(
      abilities, acceptsUnprotected: acceptsUnprotected,
      adaptiveCosts: try AdaptiveCosts(measuredOn: kvm, of: abilities.subject))
  }
}

extension MSR {
  /// Whether the vCPU's mode is in it (KVM_SET_SREGS holds it, too): handing a value over changes how KVM finishes what
  /// the guest has begun.
  var isPartOfMode: Bool { [.efer, .apicBase].contains(self) }
}
