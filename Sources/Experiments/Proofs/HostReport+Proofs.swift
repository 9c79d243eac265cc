// Fills the host's report from its files, from KVM's offer, and from proofs by tiny guests.

public import GuestImages
public import Hypervisor
public import Measurement

extension HostReport {
  /// The report without KVM: what the host's files say.
  public init(files: HostFiles = HostFiles()) {
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
        hertz: cpu.tscFrequency.map { Double($0.hertz) }, source: cpu.tscFrequency?.source.rawValue,
        invariant: cpu.invariantTSC, isClocksource: kernel.clocksource == "tsc", clocksource: kernel.clocksource),
      smt: kernel.smt.control, governors: kernel.governors, turbo: kernel.turbo,
      processStoreBypass: "\(process.storeBypass)", processIndirectBranch: "\(process.indirectBranch)",
      speculation: Speculation(
        cpu: SpeculationView(cpuid, archCapabilities: HostMSR.read(.archCapabilities, files: files)), kvm: nil,
        guest: nil))
    hostSpecCtrl = HostSpecCtrl(files: files).map { HostBits(value: $0.bits.rawValue, source: $0.source.rawValue) }
  }

  /// The host in a few words (processor, module, kernel), without reading a whole report.
  public static func summary(files: HostFiles = HostFiles()) -> String {
    "\(CPUIDModel.brandOfThisProcess ?? "?"), \(VendorModule(files: files).kind), "
      + "Linux \(HostKernel.release(files: files) ?? "?")"
  }

  /// Adds what KVM offers.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public mutating func addOffer(of kvm: borrowing KVM) throws {
    speculation.kvm = SpeculationView(
      try kvm.supportedCPUID(), archCapabilities: try kvm.featureMSR(.archCapabilities))
    var present: [String: Int] = [:]
    for capability in Capability.all {
      let value = try kvm.value(of: capability)
      if value > 0 { present["\(capability)"] = value }
    }
    capabilities = present
    if let kilohertz = try kvm.makeVM().makeVCPU().tscFrequency() {
      tsc.hertz = Double(kilohertz) * 1000
      tsc.source = "KVM_GET_TSC_KHZ"
    }
  }

  /// Adds the proofs of the register, of each kernel entry and each policy, and a guest's view of the processor.
  ///
  /// - Returns: the proofs, so that they need not be made again.
  /// - Throws: `ExperimentError.unproved` when something could not be tried: it was added as not known, with the
  ///   reason, and all else was added too. And what making a machine throws.
  @discardableResult
  public mutating func addProofs(on kvm: borrowing KVM) throws -> HostProofs {
    var untried: [(what: String, failure: ProofFailure)] = []
    /// Makes a proof; notes the reason and returns nil where it could not be made.
    func tried<T>(_ what: String, _ proof: () throws -> T) throws -> T? {
      do { return try proof() } catch {
        guard let failure = error as? ProofFailure ?? ProofFailure(behind: error) else { throw error }
        untried.append((what, failure))
        return nil
      }
    }
    let abilities = try tried("SPEC_CTRL") { try HostAbilities.prove(on: kvm) }
    if let abilities {
      specCtrlProof = Fact(works: abilities.register.isHeld, seen: abilities.register.text)
      hostSpecCtrl?.kept = abilities.keptOn.rawValue
      policies = Dictionary(
        uniqueKeysWithValues: try PolicyName.allCases.map {
          (.known($0), Fact(try $0.support(on: Terms(abilities), tellingOn: kvm)))
        })
    } else if let failure = untried.last?.failure {
      let unknown = Fact(works: nil, seen: "not known: \(failure)")
      specCtrlProof = unknown
      policies = Dictionary(uniqueKeysWithValues: PolicyName.allCases.map { (.known($0), unknown) })
    }
    let entries = try Entry.ringSwitching.map { try EntryProof.prove($0, on: kvm) }
    for proof in entries {
      if case .unknown(let failure) = proof.result { untried.append(("entry \(proof.entry.rawValue)", failure)) }
    }
    self.entries = Dictionary(uniqueKeysWithValues: entries.map { (.known($0.entry), Fact($0)) })
    if let mailbox = try tried("what a guest sees", { try EntryProof.report(on: kvm) }) {
      speculation.guest = SpeculationView(mailbox)
    }
    guard let abilities, untried.isEmpty else { throw ExperimentError.unproved(untried) }
    return HostProofs(abilities: abilities, entries: entries)
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

  /// A policy's support as a fact, with its protection as text.
  public init(_ support: PolicySupport) {
    switch support {
    case .supported(let protection):
      self.init(works: true, seen: "protects: \(protection.text)", protects: .known(protection.level))
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

extension Protection {
  /// The level and its reason.
  public var text: String { "\(level.summary); \(reason)" }
}

extension SpeculationView {
  /// The features in a CPUID model and IA32_ARCH_CAPABILITIES (nil where it cannot be read).
  public init(_ cpuid: CPUIDModel, archCapabilities: UInt64?) {
    // Without the announcement in CPUID there is no such register.
    let capabilities = cpuid.has(.archCapabilities) ? archCapabilities : 0
    self.init(
      ibrs: cpuid.has(.specCtrl) || cpuid.has(.amdIBRS), stibp: cpuid.has(.stibp) || cpuid.has(.amdSTIBP),
      ssbd: cpuid.has(.ssbd) || cpuid.has(.amdSSBD) || cpuid.has(.virtSSBD),
      ibpb: cpuid.has(.specCtrl) || cpuid.has(.amdIBPB),
      ibrsAll: capabilities.map { ArchCapabilities(rawValue: $0).contains(.ibrsAll) },
      archCapabilities: capabilities, bhiCtrl: cpuid.has(.bhiCtrl), rrsbaCtrl: cpuid.has(.rrsbaCtrl),
      ipredCtrl: cpuid.has(.ipredCtrl), psfd: cpuid.has(.psfd) || cpuid.has(.amdPSFD))
  }

  /// The features that a guest reports in its mailbox.
  public init(_ mailbox: Mailbox) {
    var seven = CPUIDEntry(function: 7)
    seven.edx = mailbox.leaf7EDX
    var sevenTwo = CPUIDEntry(function: 7, index: 2)
    sevenTwo.edx = mailbox.leaf7Subleaf2EDX
    var amd = CPUIDEntry(function: 0x8000_0008)
    amd.ebx = mailbox.amdLeafEBX
    self.init(CPUIDModel([seven, sevenTwo, amd]), archCapabilities: mailbox.archCapabilities)
  }

  /// The features that are present and those that are missing, as text.
  public var text: String {
    let bits = [
      ("SPEC_CTRL", ibrs), ("STIBP", stibp), ("SSBD", ssbd), ("IBPB", ibpb), ("IBRS_ALL", ibrsAll ?? false),
    ]
    let has = bits.filter(\.1).map(\.0)
    let lacks = bits.filter { !$0.1 }.map(\.0)
    let parts = [
      has.joined(separator: ", "),
      lacks.isEmpty ? "" : (lacks.count == 1 ? "no " : "none of ") + lacks.joined(separator: ", "),
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: "; ")
  }
}
