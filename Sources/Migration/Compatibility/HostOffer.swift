// What a host offers to a guest that would move there: what its KVM really tells guests, and what was proved.
//
// KVM_GET_SUPPORTED_CPUID is not reliable: KVM_SET_CPUID2 may drop bits silently, and a KVM that cannot hide the
// processor's own features from user mode (kvm_pvm) shows them to the guest in any case. So a vCPU is given everything
// that is offered, and its CPUID is read back.
// Facts: KVM API document, sections 4.46 (KVM_GET_SUPPORTED_CPUID) and 4.71 (KVM_SET_CPUID2, KVM_GET_CPUID2).

public import Hypervisor

/// What a host's KVM offers guests, and what was proved there; small enough for a receiver to send it to the source.
public struct HostOffer: Equatable, Codable, Sendable {
  /// The host's name in messages.
  public var name: String
  /// The id by which its results are told apart from those of other hosts; nil if unknown.
  public var id: String?
  /// The processor's vendor in KVM's CPUID: `GenuineIntel`; empty if it has none.
  public var vendor: String
  /// The features that a guest is told if it is given everything that KVM offers.
  public var cpuid: FeatureWords
  /// Features that KVM does not offer, but tells a guest if a policy asks for them.
  public var addable: FeatureWords
  /// The widths of addresses in KVM's CPUID, in bits; 0 if it has none.
  public var physicalAddressBits: Int
  public var linearAddressBits: Int
  /// IA32_ARCH_CAPABILITIES as KVM offers it; empty if CPUID does not announce the register.
  public var archCapabilities: ArchCapabilities
  /// The bits of IA32_SPEC_CTRL that a guest with all this may set; empty if guests cannot hold the register.
  public var specCtrl: SpecCtrl
  /// The feature MSRs as KVM offers them; nil if unknown: an older file, or a KVM that does not report them.
  public var featureMSRs: FeatureMSRs?
  /// The clock of guests; nil if unknown.
  public var clock: GuestClock?
  /// What was proved about the policy's MSR.
  public var abilities: HostAbilities

  /// The offer of a KVM that gives guests this contract, and has these abilities.
  public init(
    name: String, telling contract: GuestContract, addable: FeatureWords = FeatureWords(),
    featureMSRs: FeatureMSRs? = nil, clock: GuestClock? = nil, abilities: HostAbilities
  ) {
    self.name = name
    vendor = contract.cpuid.vendor ?? ""
    cpuid = FeatureWords(contract.cpuid)
    self.addable = addable
    (physicalAddressBits, linearAddressBits) = contract.addressBits
    archCapabilities = contract.announcedCapabilities
    self.featureMSRs = featureMSRs
    self.clock = clock
    let writable = SpecCtrl.writable(on: contract.cpuid)
    specCtrl = abilities.subject == .specCtrl && abilities.register.isHeld ? writable : []
    self.abilities = abilities
  }

  /// The offer of this host with these abilities; makes a vCPU to read back what guests are told.
  ///
  /// - Throws: `KVMError` when KVM fails.
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

  /// Whether its texts can be printed: an offer comes from another process or a file.
  public var isPlain: Bool {
    var texts = [name, vendor]
    if case .inconclusive(let exit) = abilities.register { texts.append(exit) }
    return texts.allSatisfy { $0.isPlain && $0.utf8.count <= 1000 }
  }

  /// This host's name: processor and KVM module.
  public static var nameOfThisHost: String {
    "\(CPUIDModel.brandOfThisProcess ?? "an unnamed processor"), \(VendorModule().kind)"
  }

  /// Whether guests have the barrier IBPB (IA32_PRED_CMD): KVM offers these bits only if the processor has it.
  public var hasIBPB: Bool { cpuid.has(.specCtrl) || cpuid.has(.amdIBPB) }

  /// The contract of a guest under a policy here: KVM's offer, and what the policy adds if KVM tells it.
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
  /// Adds what a guest is told besides the features: the vendor's twelve characters and the address widths in bits.
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
  /// IA32_ARCH_CAPABILITIES, or nothing if CPUID does not announce the register.
  var announcedCapabilities: ArchCapabilities { cpuid.has(.archCapabilities) ? archCapabilities : [] }

  /// The widths of physical and linear addresses in bits; 0 if CPUID has none.
  var addressBits: (physical: Int, linear: Int) {
    let eax = cpuid[0x8000_0008]?.eax ?? 0
    return (Int(eax & 0xff), Int(eax >> 8 & 0xff))
  }
}
