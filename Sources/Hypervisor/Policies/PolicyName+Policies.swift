// Where policies are listed. A new policy is a case in Registers/Vocabulary/PolicyName.swift, one file in this folder
// and one line in each switch here.

extension PolicyName {
  /// One line for a person.
  public var summary: String {
    switch self {
    case .passthrough: "the register is the guest's and KVM switches it; nothing is intercepted"
    case .emulate:
      "writes are trapped and kept in a shadow, a no-op under IBRS_ALL, which KVM is asked to tell the guest"
    case .autoload: "MSR lists saved and loaded around every entry, like VMX's own, one level up"
    case .manual: "read after every exit, written only where guest's and host's value differ, one level up"
    case .shadow: "writes are trapped: the guest reads a shadow, the host keeps its bits (IBRS), the rest goes through"
    case .adaptive:
      "starts as emulate; opens the register to a guest that writes often, closes it when the guest is quiet"
    }
  }

  /// Whether a host can honour the policy on these terms, and how the guest is protected then.
  public func support(on terms: Terms) -> PolicySupport {
    switch self {
    case .passthrough: Passthrough.support(on: terms)
    case .emulate: Emulate.support(on: terms)
    case .autoload: Autoload.support(on: terms)
    case .manual: Manual.support(on: terms)
    case .shadow: Shadow.support(on: terms)
    case .adaptive: Adaptive.support(on: terms)
    }
  }

  /// How the guest is protected on these terms.
  ///
  /// - Throws: `PolicyError.refused` when the host cannot honour the policy.
  public func protection(on terms: Terms) throws(PolicyError) -> Protection {
    try support(on: terms).protection(under: rawValue)
  }

  /// What the policy would have a guest told on these terms, from what KVM offers.
  public func contract(from offer: GuestContract, on terms: Terms) -> GuestContract {
    let subject = terms.abilities.subject
    return switch self {
    case .passthrough: Passthrough(subject: subject).contract(from: offer)
    case .emulate: Emulate(subject: subject).contract(from: offer)
    case .autoload: Autoload(subject: subject).contract(from: offer)
    case .manual: Manual(subject: subject).contract(from: offer)
    case .shadow: Shadow(subject: subject).contract(from: offer)
    case .adaptive: terms.mayOpen ? offer : Emulate(subject: subject).contract(from: offer)
    }
  }

  /// The policy's place among all from the cheapest: nothing is done at an exit; only the guest's own writes exit;
  /// there is work at every exit.
  public var costRank: Int {
    switch self {
    case .passthrough: 0
    case .emulate: 1
    case .adaptive: 2
    case .shadow: 3
    case .manual: 4
    case .autoload: 5
    }
  }

  /// The bits of IA32_SPEC_CTRL that reach the register when the guest writes them, where there is one.
  public var passedOn: SpecCtrl {
    switch self {
    case .passthrough, .autoload, .manual: SpecCtrl(rawValue: .max)
    // What reaches it under adaptive depends on when.
    case .emulate, .adaptive: []
    case .shadow: SpecCtrl(rawValue: .max).subtracting(.ibrs)
    }
  }

  /// Hands the policy to the visitor, which makes a machine of it on these terms.
  ///
  /// Inlinable, so that the visitor's code is specialised for each policy: the run loop in it is four times as long
  /// otherwise.
  ///
  /// - Throws: `PolicyError.refused` when the host cannot honour it, and what the visitor throws.
  @inlinable public func make<V: PolicyVisitor>(
    on kvm: borrowing KVM, terms: Terms, for visitor: V
  ) throws -> V.Result {
    _ = try protection(on: terms)
    let subject = terms.abilities.subject
    return switch self {
    case .passthrough: try visitor.visit(Passthrough(subject: subject), on: kvm)
    case .emulate: try visitor.visit(Emulate(subject: subject), on: kvm)
    case .autoload: try visitor.visit(Autoload(subject: subject), on: kvm)
    case .manual: try visitor.visit(Manual(subject: subject), on: kvm)
    case .shadow: try visitor.visit(Shadow(subject: subject), on: kvm)
    case .adaptive: try visitor.visit(Adaptive(subject: subject), on: kvm)
    }
  }
}

/// What is to be done with a policy of any type: code that the compiler specialises for each.
public protocol PolicyVisitor {
  associatedtype Result
  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> Result
}
