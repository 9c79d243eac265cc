// The terms on which a guest runs under a policy: the facts about the host, the user's consent, and what was measured.
// Everything that decides about a guest's protection is in this value.

/// The terms of a run: what the host was proved to do, what is accepted, and what was measured.
public struct Terms: Equatable, Sendable {
  /// What the host was proved to do.
  public let abilities: HostAbilities
  /// Whether the user accepts that a policy gives up a protection which it could give here (--accept-unprotected).
  public private(set) var acceptsUnprotected: Bool
  /// Whether a policy that protects nothing on this host may run at all.
  public private(set) var acceptsNoProtection = false
  /// What `adaptive` weighs; nil if it was not measured.
  public private(set) var adaptiveCosts: AdaptiveCosts?
  /// What was proved of registers other than the subject.
  public private(set) var otherRegisters: [MSR: RegisterProof] = [:]

  /// The terms on a host with these abilities; by default nothing is accepted or measured.
  public init(_ abilities: HostAbilities, acceptsUnprotected: Bool = false, adaptiveCosts: AdaptiveCosts? = nil) {
    self.abilities = abilities
    self.acceptsUnprotected = acceptsUnprotected
    self.adaptiveCosts = adaptiveCosts
  }

  /// These terms for an instrument: a policy that protects nothing here may run, as long as the output says so.
  public func acceptingNoProtection(_ accepted: Bool = true) -> Terms {
    var terms = self
    terms.acceptsNoProtection = accepted
    return terms
  }

  /// These terms, with the user's consent added if `accepted`.
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
  /// Whether opening the register would end a protection that `emulate` gives, without consent.
  var wouldEndProtection: Bool {
    abilities.canKeepIBRSOn && !acceptsUnprotected && !abilities.hardwareMask.contains(.ibrs)
  }

  /// Whether `adaptive` may open the register; then it needs `adaptiveCosts`.
  public var mayOpen: Bool {
    abilities.canInterceptMSRs && abilities.register.isHeld && !wouldEndProtection && !abilities.subject.isPartOfMode
  }
}

extension MSR {
  /// Whether it holds the vCPU's mode (KVM_SET_SREGS sets it, too): a new value changes how KVM finishes the guest's
  /// current instruction.
  var isPartOfMode: Bool { [.efer, .apicBase].contains(self) }
}
