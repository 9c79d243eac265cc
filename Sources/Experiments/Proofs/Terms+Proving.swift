// Proving the terms of a run on this host: what a policy needs to know, tried by small guests.

public import GuestImages
public import Hypervisor
public import Migration

extension HostAbilities {
  /// The abilities of this host, proved by trying.
  ///
  /// - Throws: `KVMError`, `MSRAccessError` or `GuestMemoryError` when KVM cannot make a VM to try them on.
  public static func prove(
    _ subject: MSR = .specCtrl, on kvm: borrowing KVM, files: HostFiles = HostFiles()
  ) throws -> HostAbilities {
    let register = try RegisterProof.prove(subject, on: kvm)
    let isHeld = subject == .specCtrl && register.isHeld
    return HostAbilities(
      subject: subject, register: register,
      hasIBRSAll: ArchCapabilities(rawValue: try kvm.featureMSR(.archCapabilities) ?? 0).contains(.ibrsAll),
      canInterceptMSRs: try kvm.has(.userSpaceMSR) && kvm.has(.msrFilter),
      hostBits: isHeld ? try bits(of: HostSpecCtrl(files: files)?.bits ?? .ibrs, heldOn: kvm) : .ibrs)
  }

  /// Those of the host's bits that a vCPU takes beside IBRS, each written and read back.
  private static func bits(of host: SpecCtrl, heldOn kvm: borrowing KVM) throws -> SpecCtrl {
    let vm = try kvm.makeVM()
    var cpu = try vm.makeVCPU()
    try cpu.setCPUID(try kvm.supportedCPUID())
    var held = SpecCtrl.ibrs
    for (position, _) in SpecCtrl.bitNames {
      let tried = held.union(host.intersection(SpecCtrl(rawValue: 1 << position)))
      if tried != held, try cpu.holds(tried) { held = tried }
    }
    return held
  }
}

extension VirtualCPU {
  /// Whether the vCPU's SPEC_CTRL takes this value and has it then.
  fileprivate mutating func holds(_ value: SpecCtrl) throws -> Bool {
    do { try write(.specCtrl, value.rawValue) } catch {
      if case .unwritable = error { return false }
      throw error
    }
    return try read(.specCtrl) == value.rawValue
  }
}

extension Terms {
  /// The terms of a policy about this MSR on this host; what a policy needs to know beside that is `measured` later.
  ///
  /// - Throws: As `HostAbilities.prove` does.
  public static func prove(
    _ subject: MSR, on kvm: borrowing KVM, acceptsUnprotected: Bool = false
  ) throws -> Terms {
    Terms(try .prove(subject, on: kvm), acceptsUnprotected: acceptsUnprotected)
  }

  /// All that this very policy needs to know of this host.
  ///
  /// - Throws: As `HostAbilities.prove` and `measured` do.
  public static func prove(
    for policy: borrowing some Policy & ~Copyable, on kvm: borrowing KVM, acceptsUnprotected: Bool = false
  ) throws -> Terms {
    var terms = try prove(policy.subject, on: kvm, acceptsUnprotected: acceptsUnprotected)
    for msr in policy.otherRegisters { terms = try terms.proved(for: msr, on: kvm) }
    return policy.weighsCosts ? try terms.measured(on: kvm) : terms
  }

  /// These terms with what the workload needs to know: whether a guest has its own MSR, where that is another than the
  /// policy's.
  ///
  /// - Throws: As `HostAbilities.prove` does.
  public func proved(for workload: Workload, on kvm: borrowing KVM) throws -> Terms {
    try workload.ownMSR(besides: abilities.subject).map { try proved(for: $0, on: kvm) } ?? self
  }

  /// These terms with the proof of a register, which is made where it is not there yet.
  private func proved(for msr: MSR, on kvm: borrowing KVM) throws -> Terms {
    otherRegisters[msr] == nil ? adding(try .prove(msr, on: kvm), of: msr) : self
  }

  /// These terms with what the policy of this name weighs, measured where that is not known yet.
  ///
  /// - Throws: What making a VM to measure on throws, and `PolicyError.refused` when its guest fails.
  public func measured(for policy: PolicyName, on kvm: borrowing KVM) throws -> Terms {
    policy == .adaptive ? try measured(on: kvm) : self
  }

  /// These terms with what `adaptive` weighs, where it may open the register.
  private func measured(on kvm: borrowing KVM) throws -> Terms {
    guard mayOpen, adaptiveCosts == nil else { return self }
    return adding(try .measure(abilities.subject, on: kvm))
  }
}

extension HostOffer {
  /// The offer of this host, its abilities proved by trying.
  ///
  /// - Throws: As `HostAbilities.prove` does, and `KVMError` when KVM does not tell.
  public static func prove(
    on kvm: borrowing KVM, subject: MSR = .specCtrl, name: String = HostOffer.nameOfThisHost
  ) throws -> HostOffer {
    try prove(on: kvm, abilities: .prove(subject, on: kvm), name: name)
  }
}
