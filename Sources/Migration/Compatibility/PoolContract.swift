// The contract of a pool: the most that a guest may be told if it is to run on every host, and what each host costs.
//
// It has the bits that all hosts have, and the warnings of any host. A bit that implies another on every host (AVX, its
// state in XCR0) implies it here, too.

public import Hypervisor

/// What a guest is told so that it can run on any host of a pool.
public struct PoolContract: Equatable, Codable, Sendable {
  public static let currentSchemaVersion = 1
  public static let kind = "contract"

  public var schemaVersion = currentSchemaVersion
  public var kind = Self.kind
  public var vendor: String
  public var cpuid: FeatureWords
  /// In bits; 0 if a host does not report it.
  public var physicalAddressBits: Int
  public var linearAddressBits: Int
  public var archCapabilities: ArchCapabilities
  /// The bits of IA32_SPEC_CTRL that the guest may set.
  public var specCtrl: SpecCtrl
  /// The rate in kHz that a guest's time-stamp counter can keep on every host; nil if there is none, or a host's is
  /// unknown.
  public var tscKilohertz: Int?
  /// Each host of the pool, in the order given.
  public var hosts: [Host]

  /// One host: the policy to use there, and what it costs the pool.
  public struct Host: Equatable, Codable, Sendable {
    public var name: String
    /// The host's id; nil if its file does not say it.
    public var id: String?
    public var policy: PolicyName
    public var protection: Protection.Level
    /// The reason for the protection, one sentence.
    public var reason: String
    /// What other hosts offer and this one does not, by name.
    public var costs: Costs
  }

  /// What a host costs the pool.
  public struct Costs: Equatable, Codable, Sendable {
    /// Features of CPUID.
    public var cpuid: [String] = []
    /// Promises and controls of IA32_ARCH_CAPABILITIES.
    public var archCapabilities: [String] = []
    /// Bits of IA32_SPEC_CTRL.
    public var specCtrl: [String] = []
    /// Warnings that are needed because of it.
    public var warnings: [String] = []
    /// Feature MSRs whose value on another host it does not accept.
    public var featureMSRs: [String] = []
    /// The rate of its guests' clock, if the hosts have none in common.
    public var clock: [String] = []
  }
}

/// Why a pool cannot have a contract.
public enum PoolError: Error, Equatable, Sendable {
  case noHost, vendors([String])
  /// Two hosts have the same name, and no ids that tell them apart.
  case sameName(String)
  /// Two offers are of one host.
  case sameHost(id: String, String, String)
  /// No policy runs on this host.
  case noPolicy(String)
}

extension PoolError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noHost: "a pool needs at least one host"
    case .vendors(let vendors): "a guest cannot run on processors of different vendors: \(vendors.list)"
    case .sameName(let name): "two hosts are called \(name)"
    case .sameHost(let id, let first, let second):
      "\(first) and \(second) are of one host, \(id): leave out one, or give the hosts ids (--host-id)"
    case .noPolicy(let name): "no policy can run on \(name)"
    }
  }
}

extension PoolContract {
  /// The features that a guest which may move is never told.
  ///
  /// Nested virtualisation has state in KVM and the processor that does not move with a guest. An invariant TSC is a
  /// promise about one machine's clock.
  static let neverTold: FeatureWords = {
    var words = FeatureWords()
    for feature in [CPUFeature.vmx, .svm, .invariantTSC] {
      words[CPUIDWord(feature.leaf, feature.subleaf, feature.register)] = feature.mask
    }
    words[CPUIDWord(0x8000_000a, 0, .edx)] = .max
    return words
  }()

  /// The features that are useless without the numbers of a leaf: PDCM, AVX10, PerfMonV2.
  private static let dependents: [UInt32: (word: CPUIDWord, mask: UInt32)] = [
    0xa: (CPUIDWord(1, 0, .ecx), 1 << 15), 0x24: (CPUIDWord(7, 1, .edx), 1 << 19),
    0x8000_0022: (CPUIDWord(0x8000_0022, 0, .eax), 1 << 0),
  ]

  /// The contract of these hosts.
  ///
  /// - Throws: `PoolError` when there is none.
  public init(of hosts: [HostOffer]) throws(PoolError) {
    let hosts = try Self.distinct(hosts)
    guard let first = hosts.first else { throw .noHost }
    let vendors = Set(hosts.map(\.vendor)).sorted()
    guard vendors.count == 1 else { throw .vendors(vendors) }

    vendor = first.vendor
    cpuid = Self.common(hosts.map(\.cpuid)).subtracting(Self.neverTold)
    physicalAddressBits = hosts.map(\.physicalAddressBits).min() ?? 0
    linearAddressBits = hosts.map(\.linearAddressBits).min() ?? 0
    // PDCM is told only if what it announces is the same everywhere.
    if Set(hosts.map { $0.featureMSRs?[.perfCapabilities] }).count > 1 {
      cpuid[CPUIDWord(1, 0, .ecx)] &= ~FeatureMSRs.pdcm
    }
    tscKilohertz = Self.commonRate(of: hosts.map(\.clock))
    let capabilities = hosts.map(\.archCapabilities)
    let warnings = capabilities.reduce(ArchCapabilities()) { $0.union($1) }.intersection(.warnings)
    let common = capabilities.reduce(first.archCapabilities) { $0.intersection($1) }
    archCapabilities = cpuid.has(.archCapabilities) ? common.union(warnings) : []
    specCtrl = hosts.reduce(first.specCtrl) { $0.intersection($1.specCtrl) }
    self.hosts = []
    for host in hosts {
      guard let choice = choice(at: host) else { throw .noPolicy(host.name) }
      self.hosts.append(
        Host(
          name: host.name, id: host.id, policy: choice.policy, protection: choice.protection.level,
          reason: choice.protection.reason,
          costs: Costs(of: host, among: hosts, sharing: tscKilohertz)))
    }
  }

  /// The hosts, each with a name of its own: those that share one are told apart by their ids.
  ///
  /// - Throws: `PoolError.sameHost` or `PoolError.sameName` when a host is there twice.
  public static func distinct(_ hosts: [HostOffer]) throws(PoolError) -> [HostOffer] {
    var byID: [String: HostOffer] = [:]
    for host in hosts {
      guard let id = host.id, let other = byID.updateValue(host, forKey: id) else { continue }
      throw .sameHost(id: id, other.name, host.name)
    }
    let named = hosts.map { host in
      var host = host
      if let id = host.id, hosts.contains(where: { $0.name == host.name && $0.id != id }) { host.name += " (\(id))" }
      return host
    }
    var seen: Set<String> = []
    for host in named where !seen.insert(host.name).inserted { throw .sameName(host.name) }
    return named
  }

  /// The rate that all of these clocks can give a guest.
  private static func commonRate(of clocks: [GuestClock?]) -> Int? {
    let known = clocks.compactMap(\.self)
    guard known.count == clocks.count, let rate = (known.first { !$0.canScale } ?? known.first)?.kilohertz else {
      return nil
    }
    return known.allSatisfy { $0.gives(rate) } ? rate : nil
  }

  /// The bits that all have, and the numbers that are the same everywhere.
  private static func common(_ all: [FeatureWords]) -> FeatureWords {
    var common = all.dropFirst().reduce(all[0]) { $0.intersection($1) }
    for word in CPUIDWord.all where word.kind == .quantity && Set(all.map { $0[word] }).count > 1 {
      for other in CPUIDWord.all where other.leaf == word.leaf && other.kind == .quantity { common[other] = 0 }
      if let (feature, mask) = dependents[word.leaf] { common[feature] &= ~mask }
    }
    return common
  }

  /// What the contract tells a guest, without leaves that only describe.
  public var guestContract: GuestContract {
    var contract = GuestContract(cpuid: cpuid.model, archCapabilities: archCapabilities)
    contract.cpuid.describe(
      vendor: vendor, physicalAddressBits: physicalAddressBits, linearAddressBits: linearAddressBits)
    return contract
  }

  /// A guest of the contract under a policy for this MSR.
  func guest(under policy: PolicyName, subject: MSR) -> MovingGuest {
    // If the contract has the bit of the barrier, every host has the barrier.
    MovingGuest(
      contract: guestContract, policy: policy, subject: subject, protection: .none, inUse: [],
      hasIBPB: cpuid.has(.specCtrl),
      tscKilohertz: tscKilohertz)
  }

  /// The policies, the cheapest first.
  private static let byCost = PolicyName.allCases.sorted { $0.costRank < $1.costRank }

  /// The policy to use on a host: the cheapest under which a guest of the contract is protected, always or as it
  /// chooses; if there is none, the cheapest that runs.
  private func choice(at host: HostOffer) -> (policy: PolicyName, protection: Protection)? {
    let possible = Self.byCost.compactMap { policy -> (policy: PolicyName, protection: Protection)? in
      guard case .supported(let supported) = policy.support(on: Terms(host.abilities)) else { return nil }
      return (policy, guest(under: policy, subject: host.abilities.subject).protection(supported, at: host))
    }
    return possible.first { $0.protection.level.strength >= Protection.Level.guest.strength } ?? possible.first
  }
}

extension PoolContract.Costs {
  fileprivate init(of host: HostOffer, among hosts: [HostOffer], sharing rate: Int?) {
    let all = hosts.map(\.cpuid).reduce(FeatureWords()) { $0.featuresUnion($1) }
    cpuid =
      all.subtracting(PoolContract.neverTold).missing(from: host.cpuid)
      + CPUIDWord.all.filter { word in
        word.kind == .quantity && hosts.contains { $0.cpuid[word] != host.cpuid[word] }
      }.map { "\($0) = \(host.cpuid[$0].hex)" }
    let capabilities = hosts.reduce(ArchCapabilities()) { $0.union($1.archCapabilities) }
    archCapabilities = capabilities.subtracting(.warnings).subtracting(host.archCapabilities).allNames
    specCtrl = hosts.reduce(SpecCtrl()) { $0.union($1.specCtrl) }.subtracting(host.specCtrl).allNames
    let unwarned = hosts.contains { !$0.archCapabilities.isSuperset(of: host.archCapabilities.intersection(.warnings)) }
    warnings = unwarned ? host.archCapabilities.intersection(.warnings).allNames : []
    if let own = host.featureMSRs {
      // A pool's guest is never told VMX.
      let others = hosts.compactMap(\.featureMSRs).flatMap { $0.missing(from: own) }
      featureMSRs = Set(others).filter { !(MSR.vmxCapabilities ~= $0) }.sorted().map { "\($0)" }
    }
    if rate == nil, let own = host.clock { clock = [own.kilohertz.megahertz + (own.canScale ? ", scaled" : "")] }
  }
}

extension PoolContract.Costs {
  private enum CodingKeys: String, CodingKey { case cpuid, archCapabilities, specCtrl, warnings, featureMSRs, clock }

  /// Older files have no feature MSRs and clocks.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    cpuid = try container.decode([String].self, forKey: .cpuid)
    archCapabilities = try container.decode([String].self, forKey: .archCapabilities)
    specCtrl = try container.decode([String].self, forKey: .specCtrl)
    warnings = try container.decode([String].self, forKey: .warnings)
    featureMSRs = try container.decodeIfPresent([String].self, forKey: .featureMSRs) ?? []
    clock = try container.decodeIfPresent([String].self, forKey: .clock) ?? []
  }
}
