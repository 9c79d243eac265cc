// Proves the terms of a run on this host: small guests try what a policy needs.

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
    try prove(subject, for: nil, on: kvm, files: files)
  }

  /// The same, for one policy alone: whether a vCPU holds the register is tried only where it depends on that.
  fileprivate static func prove(
    _ subject: MSR, for policy: PolicyName?, on kvm: borrowing KVM, files: HostFiles = HostFiles()
  ) throws -> HostAbilities {
    let hasIBRSAll = ArchCapabilities(rawValue: try kvm.featureMSR(.archCapabilities) ?? 0).contains(.ibrsAll)
    let isNeeded = policy?.needsRegister(hasIBRSAll: hasIBRSAll) ?? true
    let register: RegisterProof = isNeeded ? try .prove(subject, on: kvm) : .untried
    let isHeld = subject == .specCtrl && register.isHeld
    let module = VendorModule(files: files)
    return HostAbilities(
      subject: subject, register: register, hasIBRSAll: hasIBRSAll,
      canInterceptMSRs: try kvm.has(.userSpaceMSR) && kvm.has(.msrFilter),
      hostBits: isHeld ? try bits(of: HostSpecCtrl(files: files)?.bits ?? .ibrs, heldOn: kvm) : .ibrs,
      specCtrlMode: module.specCtrlMode, hardwareMask: isHeld ? module.specCtrlMask ?? [] : [],
      hasAutomaticIBRS: try subject == .specCtrl && HostKernel.usesAutomaticIBRS(files: files)
        && kvm.supportedCPUID().has(.automaticIBRS))
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

  /// The terms of this policy alone: what it does not need is not tried, which saves a VM.
  ///
  /// - Throws: As `HostAbilities.prove` does.
  public static func prove(
    _ subject: MSR, for policy: PolicyName, on kvm: borrowing KVM, acceptsUnprotected: Bool = false
  ) throws -> Terms {
    Terms(try .prove(subject, for: policy, on: kvm), acceptsUnprotected: acceptsUnprotected)
  }

  /// All terms that this policy needs on this host.
  ///
  /// - Throws: As `HostAbilities.prove` and `measured` do.
  public static func prove(
    for policy: borrowing some Policy & ~Copyable, on kvm: borrowing KVM, acceptsUnprotected: Bool = false
  ) throws -> Terms {
    var terms = try prove(policy.subject, on: kvm, acceptsUnprotected: acceptsUnprotected)
    for msr in policy.otherRegisters { terms = try terms.proved(for: msr, on: kvm) }
    return policy.weighsCosts ? try terms.measured(on: kvm) : terms
  }

  /// These terms, with the proof of the workload's own MSR where it is not the policy's.
  ///
  /// - Throws: As `HostAbilities.prove` does.
  public func proved(for workload: Workload, on kvm: borrowing KVM) throws -> Terms {
    try workload.ownMSR(besides: abilities.subject).map { try proved(for: $0, on: kvm) } ?? self
  }

  /// These terms, with the proof of a register.
  private func proved(for msr: MSR, on kvm: borrowing KVM) throws -> Terms {
    otherRegisters[msr] == nil ? adding(try .prove(msr, on: kvm), of: msr) : self
  }

  /// These terms, with the costs that the policy needs; they are measured unless the terms have them.
  ///
  /// - Throws: What making a VM throws, and `PolicyError.refused` when its guest fails.
  public func measured(for policy: PolicyName, on kvm: borrowing KVM) throws -> Terms {
    policy == .adaptive ? try measured(on: kvm) : self
  }

  /// These terms, with the costs for `adaptive` where it may open the register.
  private func measured(on kvm: borrowing KVM) throws -> Terms {
    guard mayOpen, adaptiveCosts == nil else { return self }
    return adding(try .measure(abilities.subject, on: kvm))
  }
}

extension HostOffer {
  /// The offer of this host, its abilities proved by trying.
  ///
  /// - Throws: What `HostAbilities.prove` throws, and `KVMError` when KVM fails.
  public static func prove(
    on kvm: borrowing KVM, subject: MSR = .specCtrl, name: String = HostOffer.nameOfThisHost
  ) throws -> HostOffer {
    try prove(on: kvm, abilities: .prove(subject, on: kvm), name: name)
  }
}
