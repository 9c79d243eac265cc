// The list of policies. A new policy is a case in Registers/Vocabulary/PolicyName.swift, a file in this folder, and a
// line in each switch here.

extension PolicyName {
  /// One line for a person.
  public var summary: String {
    switch self {
    case .passthrough: "the guest owns the register and KVM switches it; nothing is intercepted"
    case .emulate: "writes are trapped and only stored; the guest is told IBRS_ALL, so that it need not write"
    case .autoload:
      "MSR lists are saved and loaded around every KVM_RUN, as VMX does at every entry; by VMX where KVM uses its lists"
    case .manual: "around every KVM_RUN the register is read, and written only if guest's and host's values differ"
    case .shadow:
      "the guest reads what it wrote, the host keeps its bits (IBRS), the rest passes; writes are trapped unless KVM uses "
        + "VMX's mask and shadow"
    case .adaptive: "starts as emulate; opens the register while the guest writes often"
    }
  }

  /// Whether a host can honour the policy on these terms, and how the guest is protected then.
  public func support(on terms: Terms) -> PolicySupport {
    switch self {
    case .passthrough: Passthrough.support(on: terms)
    case .emulate: Emulate.support(on: terms)
    case .autoload:
      terms.abilities.mechanism(of: self) == .hardware ? HardwareLists.support(on: terms) : Autoload.support(on: terms)
    case .manual: Manual.support(on: terms)
    case .shadow:
      terms.abilities.mechanism(of: self) == .hardware ? HardwareShadow.support(on: terms) : Shadow.support(on: terms)
    case .adaptive: Adaptive.support(on: terms)
    }
  }

  /// How the guest is protected on these terms.
  ///
  /// - Throws: `PolicyError.refused` when the host cannot honour the policy.
  public func protection(on terms: Terms) throws(PolicyError) -> Protection {
    try support(on: terms).protection(under: rawValue)
  }

  /// The contract that the policy wants for a guest on these terms, made from KVM's offer.
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

  /// The rank by cost, 0 for the cheapest: nothing is done at an exit; only the guest's writes exit; every exit costs
  /// work.
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

  /// The bits of IA32_SPEC_CTRL that reach the register when the guest writes them.
  public var passedOn: SpecCtrl {
    switch self {
    case .passthrough, .autoload, .manual: SpecCtrl(rawValue: .max)
    // Under adaptive it depends on when the guest writes.
    case .emulate, .adaptive: []
    case .shadow: SpecCtrl(rawValue: .max).subtracting(.ibrs)
    }
  }

  /// Makes the policy and passes it to the visitor, which makes a machine on these terms.
  ///
  /// Inlinable, so that the visitor's code is specialised for each policy; else the run loop is four times as long.
  ///
  /// - Throws: `PolicyError.refused` when the host cannot honour it, and what the visitor throws.
  @inlinable public func make<V: PolicyVisitor>(
    on kvm: borrowing KVM, terms: Terms, for visitor: V
  ) throws -> V.Result {
    _ = try protection(on: terms)
    let subject = terms.abilities.subject
    let isHardware = terms.abilities.mechanism(of: self) == .hardware
    return switch self {
    case .autoload where isHardware: try visitor.visit(HardwareLists(), on: kvm)
    case .shadow where isHardware: try visitor.visit(HardwareShadow(), on: kvm)
    case .passthrough: try visitor.visit(Passthrough(subject: subject), on: kvm)
    case .emulate: try visitor.visit(Emulate(subject: subject), on: kvm)
    case .autoload: try visitor.visit(Autoload(subject: subject), on: kvm)
    case .manual: try visitor.visit(Manual(subject: subject), on: kvm)
    case .shadow: try visitor.visit(Shadow(subject: subject), on: kvm)
    case .adaptive: try visitor.visit(Adaptive(subject: subject), on: kvm)
    }
  }
}

/// Code for a policy of any type, which the compiler specialises for each.
public protocol PolicyVisitor {
  associatedtype Result
  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> Result
}
