// On which terms a guest runs under a policy: the facts about the host, the user's consent, and what is weighed. All
// that decides about a guest's protection is in this one value.

/// The terms of a run: what the host was proved to do, what the user accepts there, and what was measured.
public struct Terms: Equatable, Sendable {
  /// What the host was proved to do.
  public let abilities: HostAbilities
  /// Whether the user accepts that a policy gives up a protection which it could give here.
  public private(set) var acceptsUnprotected: Bool
  /// What `adaptive` weighs; nil where nobody has measured it.
  public private(set) var adaptiveCosts: AdaptiveCosts?
  /// What was proved of other registers than the subject.
  public private(set) var otherRegisters: [MSR: RegisterProof] = [:]

  /// The terms on a host with these abilities; where nothing else is said, nothing is accepted or measured.
  public init(_ abilities: HostAbilities, acceptsUnprotected: Bool = false, adaptiveCosts: AdaptiveCosts? = nil) {
    self.abilities = abilities
    self.acceptsUnprotected = acceptsUnprotected
    self.adaptiveCosts = adaptiveCosts
  }

  /// These terms for a guest whose user has accepted so much before.
  public func accepting(_ accepted: Bool) -> Terms {
    var terms = self
    terms.acceptsUnprotected = acceptsUnprotected || accepted
    return terms
  }

  /// These terms with what was measured for `adaptive`.
  public func adding(_ costs: AdaptiveCosts) -> Terms {
    var terms = self
    terms.adaptiveCosts = costs
    return terms
  }

  /// These terms with what was proved of another register.
  public func adding(_ proof: RegisterProof, of msr: MSR) -> Terms {
    var terms = self
    terms.otherRegisters[msr] = proof
    return terms
  }
}

extension Terms {
  /// Whether opening the register would end a protection that `emulate` gives, and nobody accepts that.
  var wouldEndProtection: Bool { abilities.canKeepIBRSOn && !acceptsUnprotected }

  /// Whether `adaptive` may open the register, and must know what it weighs.
  public var mayOpen: Bool {
    abilities.canInterceptMSRs && abilities.register.isHeld && !wouldEndProtection && !abilities.subject.isPartOfMode
  }
}

extension MSR {
  /// Whether the vCPU's mode is in it (KVM_SET_SREGS holds it, too): handing a value over changes how KVM finishes what
  /// the guest has begun.
  var isPartOfMode: Bool { [.efer, .apicBase].contains(self) }
}
