// What a host has to offer to a guest that would come there: what its KVM really tells guests, and what was proved.
//
// KVM_GET_SUPPORTED_CPUID is not the whole truth: KVM_SET_CPUID2 may drop bits in silence, and a KVM that cannot hide
// the processor's own features from user mode (kvm_pvm) tells the guest of them whatever it was asked to tell. So a
// vCPU is given all that is offered, and what the guest would see is read back.
// Facts: KVM API document, sections 4.46 (KVM_GET_SUPPORTED_CPUID) and 4.71 (KVM_SET_CPUID2, KVM_GET_CPUID2).

public import Hypervisor

/// What a host's KVM offers guests, and what was proved there; small, so that a receiver can send it to the source.
public struct HostOffer: Equatable, Codable, Sendable {
  /// What the host is called in sentences.
  public var name: String
  /// The processor's vendor as KVM tells guests: `GenuineIntel`; empty where it does not.
  public var vendor: String
  /// The features that a guest is told when KVM is asked to tell all that it offers.
  public var cpuid: FeatureWords
  /// The features that KVM does not offer, and tells a guest all the same when a policy asks for them.
  public var addable: FeatureWords
  /// The widths of addresses that KVM tells guests, in bits; 0 where it does not.
  public var physicalAddressBits: Int
  public var linearAddressBits: Int
  /// IA32_ARCH_CAPABILITIES as KVM offers it; empty where CPUID does not announce the register.
  public var archCapabilities: ArchCapabilities
  /// The bits of IA32_SPEC_CTRL that a guest which is told all this may set; empty where no guest holds the register.
  public var specCtrl: SpecCtrl
  /// The feature MSRs as KVM offers them; nil where that is not known: an older file, or a KVM that does not tell.
  public var featureMSRs: FeatureMSRs?
  /// The clock of guests; nil where it is not known.
  public var clock: GuestClock?
  /// What was proved about IA32_SPEC_CTRL, or about the MSR that the guest's policy is about.
  public var abilities: HostAbilities

  /// The offer of a KVM that tells guests this, and has these abilities.
  public init(
    name: String, telling contract: GuestContract, addable: FeatureWords = FeatureWords(),
    featureMSRs: FeatureMSRs? = nil, clock: GuestClock? = nil, abilities: HostAbilities
  ) {
    self.name = name
    vendor = contract.cpuid.vendor ?? ""
    cpuid = FeatureWords(contract.cpuid)
    self.addable = addable
    (physicalAddressBits, linearAddressBits) = contract.addressBits
    archCapabilities = contract.told
    self.featureMSRs = featureMSRs
    self.clock = clock
    let writable = SpecCtrl.writable(on: contract.cpuid)
    specCtrl = abilities.subject == .specCtrl && abilities.register.isHeld ? writable : []
    self.abilities = abilities
  }

  /// The offer of this host with these abilities: what guests are told is read back from a vCPU.
  ///
  /// - Throws: `KVMError` when KVM does not tell.
  public static func prove(
    on kvm: borrowing KVM, abilities: HostAbilities, name: String = HostOffer.nameOfThisHost
  ) throws(KVMError) -> HostOffer {
    let offered = try GuestContract(offeredBy: kvm)
    // No policy asks for more than emulate.
    let asked = Emulate().contract(from: offered)
    var cpu = try kvm.makeVM().makeVCPU()
    try cpu.setCPUID(asked.cpuid)
    let told = FeatureWords(try cpu.cpuid())
    let addable = told.intersection(FeatureWords(asked.cpuid).subtracting(FeatureWords(offered.cpuid)))
    var contract = GuestContract(
      cpuid: told.subtracting(addable).model, archCapabilities: offered.archCapabilities)
    let (physical, linear) = offered.addressBits
    contract.cpuid.describe(
      vendor: offered.cpuid.vendor ?? "", physicalAddressBits: physical, linearAddressBits: linear)
    return HostOffer(
      name: name, telling: contract, addable: addable, featureMSRs: try kvm.featureMSRs().map { FeatureMSRs($0) },
      clock: try GuestClock.prove(on: kvm), abilities: abilities)
  }

  /// Whether its words can be printed: an offer comes from another process, or out of a file.
  public var isPlain: Bool {
    var words = [name, vendor]
    if case .inconclusive(let exit) = abilities.register { words.append(exit) }
    return words.allSatisfy { $0.isPlain && $0.utf8.count <= 1000 }
  }

  /// This host in a few words: processor and KVM module.
  public static var nameOfThisHost: String {
    "\(CPUIDModel.brandOfThisProcess ?? "a processor without a name"), \(VendorModule().kind)"
  }

  /// Whether guests have the barrier IBPB (IA32_PRED_CMD): KVM offers either bit only where the processor has it.
  public var hasIBPB: Bool { cpuid.has(.specCtrl) || cpuid.has(.amdIBPB) }

  /// What a guest under a policy can be told here: KVM's offer, and what the policy adds of its own and KVM tells.
  func contract(under policy: PolicyName, on terms: Terms) -> GuestContract {
    let offered = GuestContract(cpuid: cpuid.model, archCapabilities: archCapabilities)
    let asked = policy.contract(from: offered, on: terms)
    var told = asked
    told.cpuid = FeatureWords(asked.cpuid).intersection(cpuid.union(addable)).model
    told.cpuid.describe(
      vendor: vendor, physicalAddressBits: physicalAddressBits, linearAddressBits: linearAddressBits)
    return told
  }
}

extension CPUIDModel {
  /// Adds what a guest is told beside the features: the vendor's twelve characters and the widths of addresses, in
  /// bits.
  mutating func describe(vendor: String, physicalAddressBits: Int, linearAddressBits: Int) {
    let bytes = Array(vendor.utf8.prefix(12)) + [UInt8](repeating: 0, count: max(0, 12 - vendor.utf8.count))
    func register(_ index: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[index * 4 + $1]) << UInt32($1 * 8) } }
    var first = self[0] ?? CPUIDEntry(function: 0)
    (first.ebx, first.edx, first.ecx) = (register(0), register(1), register(2))
    self[0] = first
    var addresses = self[0x8000_0008] ?? CPUIDEntry(function: 0x8000_0008)
    addresses.eax = UInt32(truncatingIfNeeded: physicalAddressBits & 0xff | (linearAddressBits & 0xff) << 8)
    self[0x8000_0008] = addresses
  }
}

extension GuestContract {
  /// IA32_ARCH_CAPABILITIES as far as the guest can know of it: without the announcement in CPUID there is no such
  /// register.
  var told: ArchCapabilities { cpuid.has(.archCapabilities) ? archCapabilities : [] }

  /// The widths of physical and of linear addresses, in bits; 0 where CPUID does not tell.
  var addressBits: (physical: Int, linear: Int) {
    let eax = cpuid[0x8000_0008]?.eax ?? 0
    return (Int(eax & 0xff), Int(eax >> 8 & 0xff))
  }
}
