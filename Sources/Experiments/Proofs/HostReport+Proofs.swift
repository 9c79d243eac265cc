// Makes the host's report from its files, from KVM's offer, and from proofs by small guests.

public import GuestImages
public import Hypervisor
public import Measurement

extension HostReport {
  /// The report of this host: from its files, and from what KVM offers and what was proved, where that is given.
  public init(files: HostFiles = HostFiles(), offer: KVMOffer? = nil, trials: HostTrials? = nil) {
    let cpuid = CPUIDModel.ofThisProcess()
    let kernel = HostKernel(files: files)
    let module = VendorModule(files: files)
    let cpu = CPUIdentity(files: files, cpuid: cpuid)
    let process = ProcessMitigations.ofThisThread()
    self.init(
      kernel: kernel.release, module: "\(module.kind)",
      moduleParameters: Dictionary(module.parameters.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
      cpu: CPU(
        vendor: cpu.vendor, model: cpu.modelName, family: cpu.family, modelNumber: cpu.model, stepping: cpu.stepping,
        microcode: cpu.microcode, logicalCount: cpu.logicalCPUCount),
      isVirtualised: cpu.isVirtualised, hypervisor: cpu.hypervisorVendor,
      vulnerabilities: Dictionary(kernel.vulnerabilities.map { ($0.name, $0.text) }, uniquingKeysWith: { $1 }),
      tsc: TSC(
        hertz: offer?.tscHertz ?? cpu.tscFrequency.map { Double($0.hertz) },
        source: offer?.tscHertz.map { _ in "KVM_GET_TSC_KHZ" } ?? cpu.tscFrequency?.source.rawValue,
        invariant: cpu.invariantTSC, isClocksource: kernel.clocksource == "tsc", clocksource: kernel.clocksource),
      smt: kernel.smt.control, governors: kernel.governors, turbo: kernel.turbo,
      processStoreBypass: "\(process.storeBypass)", processIndirectBranch: "\(process.indirectBranch)",
      speculation: Speculation(
        cpu: SpeculationView(cpuid, archCapabilities: HostMSR.read(.archCapabilities, files: files)),
        kvm: offer?.speculation, guest: trials?.guestView),
      hostSpecCtrl: HostSpecCtrl(files: files).map {
        HostBits(value: $0.bits.rawValue, source: $0.source.rawValue, kept: trials?.abilities?.keptOn.rawValue)
      },
      specCtrlMode: module.specCtrlMode.map(Known.known), specCtrlProof: trials?.specCtrlFact,
      entries: trials?.entryFacts, policies: trials?.policies,
      capabilities: offer?.capabilities)
  }

  /// The host in a few words (processor, module, its mode unless that is by hand, kernel), without a whole report.
  public static func summary(files: HostFiles = HostFiles()) -> String {
    let module = VendorModule(files: files)
    let mode = module.specCtrlMode.flatMap { $0 == .byHand ? nil : $0 }.map { " (SPEC_CTRL \($0.summary))" } ?? ""
    return "\(CPUIDModel.brandOfThisProcess ?? "?"), \(module.kind)\(mode), "
      + "Linux \(HostKernel.release(files: files) ?? "?")"
  }
}

/// What KVM offers guests, as a report tells it.
public struct KVMOffer: Sendable {
  let speculation: SpeculationView
  /// The capabilities that are there, with their values.
  let capabilities: [String: Int]
  /// The frequency of a guest's time-stamp counter; nil if KVM does not report it.
  let tscHertz: Double?

  /// Asks KVM.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public init(of kvm: borrowing KVM) throws {
    speculation = SpeculationView(
      try kvm.supportedCPUID(), archCapabilities: try kvm.featureMSR(.archCapabilities))
    var present: [String: Int] = [:]
    for capability in Capability.all {
      let value = try kvm.value(of: capability)
      if value > 0 { present["\(capability)"] = value }
    }
    capabilities = present
    tscHertz = try kvm.makeVM().makeVCPU().tscFrequency().map { Double($0) * 1000 }
  }
}

/// What was tried on this host: the proofs of the register, of each kernel entry and each policy, and a guest's view of
/// the processor.
///
/// A proof that could not be made is not known, with the reason; the others were made all the same.
public struct HostTrials: Sendable {
  /// What the host can do with IA32_SPEC_CTRL; nil if that could not be tried.
  let abilities: HostAbilities?
  let policies: [Known<PolicyName>: HostReport.Fact]
  /// The entries that switch rings, the preferred one first.
  private let entries: [EntryProof]
  /// A guest's view of the processor; nil if no guest could be run.
  let guestView: SpeculationView?
  private let untried: [(what: String, failure: ProofFailure)]

  /// Tries everything.
  ///
  /// - Throws: What making a machine throws.
  public static func prove(on kvm: borrowing KVM) throws -> HostTrials { try HostTrials(on: kvm) }

  private init(on kvm: borrowing KVM) throws {
    var untried: [(what: String, failure: ProofFailure)] = []
    /// Makes a proof; notes the reason and returns nil where it could not be made.
    func tried<T>(_ what: String, _ proof: () throws -> T) throws -> T? {
      do { return try proof() } catch {
        guard let failure = error as? ProofFailure ?? ProofFailure(behind: error) else { throw error }
        untried.append((what, failure))
        return nil
      }
    }
    abilities = try tried("SPEC_CTRL") { try HostAbilities.prove(on: kvm) }
    var policies: [Known<PolicyName>: HostReport.Fact] = [:]
    for policy in PolicyName.allCases {
      policies[.known(policy)] =
        try abilities.map {
          HostReport.Fact(try policy.support(on: Terms($0), tellingOn: kvm), by: $0.mechanism(of: policy))
        } ?? HostReport.Fact(unknown: untried.last?.failure)
    }
    self.policies = policies
    entries = try Entry.ringSwitching.map { try EntryProof.prove($0, on: kvm) }
    for proof in entries {
      if case .unknown(let failure) = proof.result { untried.append(("entry \(proof.entry.rawValue)", failure)) }
    }
    guestView = try tried("what a guest sees", { try EntryProof.report(on: kvm) }).map { SpeculationView($0) }
    self.untried = untried
  }

  /// The proofs.
  ///
  /// - Throws: `ExperimentError.unproved` when something could not be tried.
  public func complete() throws(ExperimentError) -> HostProofs {
    guard let abilities, untried.isEmpty else { throw .unproved(untried) }
    return HostProofs(abilities: abilities, entries: entries)
  }

  /// The proof of the register as a fact.
  var specCtrlFact: HostReport.Fact {
    abilities.map { HostReport.Fact(works: $0.register.isHeld, seen: $0.register.text) }
      ?? HostReport.Fact(unknown: untried.first?.failure)
  }

  var entryFacts: [Known<Entry>: HostReport.Fact] {
    Dictionary(uniqueKeysWithValues: entries.map { (.known($0.entry), HostReport.Fact($0)) })
  }
}

/// The proofs of this host, each made once.
public struct HostProofs: Sendable {
  /// What the host can do with IA32_SPEC_CTRL.
  public let abilities: HostAbilities
  /// The proofs of the entries that switch rings, the preferred one first.
  public let entries: [EntryProof]
}

extension HostReport.Fact {
  /// An entry's proof as a fact.
  public init(_ proof: EntryProof) {
    let works: Bool? =
      switch proof.result {
      case .works: true
      case .fails: false
      case .unknown: nil
      }
    self.init(works: works, seen: proof.seen)
  }

  /// A fact that could not be tried, for this reason.
  fileprivate init(unknown failure: ProofFailure?) {
    self.init(works: nil, seen: "not known: \(failure.map { "\($0)" } ?? "it was not tried")")
  }

  /// A policy's support as a fact, with its protection as text.
  public init(_ support: PolicySupport, by mechanism: PolicyMechanism?) {
    switch support {
    case .supported(let protection):
      self.init(
        works: true, seen: "protects: \(protection.level.summary); \(protection.reason)",
        protects: .known(protection.level), mechanism: mechanism.map(Known.known))
    case .refused(let reason): self.init(works: false, seen: reason)
    }
  }
}

extension PolicyName {
  /// Whether this host can honour the policy, and how it protects a guest with KVM's contract here.
  ///
  /// - Throws: What making a machine throws. One is made only where the result depends on the contract.
  func support(on terms: Terms, tellingOn kvm: borrowing KVM) throws -> PolicySupport {
    let support = support(on: terms)
    guard case .supported(let protection) = support,
      protection.misleads(
        guestTold: contract(from: try GuestContract(offeredBy: kvm), on: terms), about: terms.abilities.subject)
    else { return support }
    let terms = try terms.measured(for: self, on: kvm)
    let told = try make(on: kvm, terms: terms, for: ToldContract(terms: terms))
    return .supported(protection.given(told, about: terms.abilities.subject))
  }

  /// The contract of a new machine, read back from KVM.
  private struct ToldContract: PolicyVisitor {
    let terms: Terms

    func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> GuestContract {
      try Machine(on: kvm, policy: policy, terms: terms.acceptingNoProtection()).contract
    }
  }
}

extension SpeculationView {
  /// The features in a CPUID model and IA32_ARCH_CAPABILITIES (nil where it cannot be read).
  public init(_ cpuid: CPUIDModel, archCapabilities: UInt64?) {
    self.init(
      cpuid, archCapabilities: archCapabilities, automaticIBRS: cpuid.has(.automaticIBRS),
      virtualSpecCtrl: cpuid.has(.vSpecCtrl))
  }

  private init(_ cpuid: CPUIDModel, archCapabilities: UInt64?, automaticIBRS: Bool?, virtualSpecCtrl: Bool?) {
    // Without the announcement in CPUID there is no such register.
    let capabilities = cpuid.has(.archCapabilities) ? archCapabilities : 0
    self.init(
      ibrs: cpuid.has(.specCtrl) || cpuid.has(.amdIBRS), stibp: cpuid.has(.stibp) || cpuid.has(.amdSTIBP),
      ssbd: cpuid.has(.ssbd) || cpuid.has(.amdSSBD) || cpuid.has(.virtSSBD),
      ibpb: cpuid.has(.specCtrl) || cpuid.has(.amdIBPB),
      ibrsAll: capabilities.map { ArchCapabilities(rawValue: $0).contains(.ibrsAll) },
      archCapabilities: capabilities, bhiCtrl: cpuid.has(.bhiCtrl), rrsbaCtrl: cpuid.has(.rrsbaCtrl),
      ipredCtrl: cpuid.has(.ipredCtrl), psfd: cpuid.has(.psfd) || cpuid.has(.amdPSFD),
      automaticIBRS: automaticIBRS, virtualSpecCtrl: virtualSpecCtrl)
  }

  /// The features that a guest reports in its mailbox.
  public init(_ mailbox: Mailbox) {
    var seven = CPUIDEntry(function: 7)
    seven.edx = mailbox.leaf7EDX
    var sevenTwo = CPUIDEntry(function: 7, index: 2)
    sevenTwo.edx = mailbox.leaf7Subleaf2EDX
    var amd = CPUIDEntry(function: 0x8000_0008)
    amd.ebx = mailbox.amdLeafEBX
    // The guest does not read the leaves of the last two.
    self.init(
      CPUIDModel([seven, sevenTwo, amd]), archCapabilities: mailbox.archCapabilities, automaticIBRS: nil,
      virtualSpecCtrl: nil)
  }
}
