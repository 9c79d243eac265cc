// The contract of a pool: the most that all hosts can keep, which host costs what, and what a host that cannot keep it
// says.

import Experiments
import FoundationEssentials
import Hypervisor
import TestSupport
import Testing

@testable import Migration

@Suite("A pool's contract")
struct PoolContractTests {
  private func offers(_ classes: HostClass...) -> [HostOffer] { classes.map(\.offer) }

  @Test("of one host tells all that the host offers")
  func one() throws {
    for host in HostClass.allCases {
      let contract = try PoolContract(of: [host.offer])
      #expect(contract.cpuid == host.offer.cpuid && contract.archCapabilities == host.offer.archCapabilities)
      #expect(contract.specCtrl == host.offer.specCtrl)
      #expect(contract.hosts[0].costs == PoolContract.Costs())
    }
  }

  @Test("of several tells what all have, and says which host costs which bit")
  func common() throws {
    let contract = try PoolContract(of: offers(.ibrsAll, .ibrs, .none))
    #expect(!contract.cpuid.has(.specCtrl) && !contract.cpuid.has(.ssbd))
    #expect(contract.archCapabilities == [] && contract.specCtrl == [])
    #expect(contract.hosts.map(\.name) == ["ibrs-all", "spec-ctrl", "no-spec-ctrl"])
    #expect(contract.hosts[0].costs == PoolContract.Costs())
    #expect(contract.hosts[1].costs == PoolContract.Costs(archCapabilities: ["IBRS_ALL"]))
    #expect(
      contract.hosts[2].costs
        == PoolContract.Costs(
          cpuid: ["SPEC_CTRL", "STIBP", "SSBD"], archCapabilities: ["IBRS_ALL"], specCtrl: ["IBRS", "STIBP", "SSBD"]))
  }

  @Test("gives a warning that one host gives")
  func warnings() throws {
    var warned = HostClass.ibrs.offer
    warned.name = "warned"
    warned.archCapabilities = [.rsba, .rdclNo]
    let contract = try PoolContract(of: [HostClass.ibrs.offer, warned])
    #expect(contract.archCapabilities == .rsba)
    #expect(contract.hosts[0].costs.archCapabilities == ["RDCL_NO"])
    #expect(contract.hosts[1].costs == PoolContract.Costs(warnings: ["RSBA"]))
  }

  @Test("never tells nested virtualisation or an invariant TSC")
  func neverTold() throws {
    var host = HostClass.ibrs.offer
    host.cpuid[CPUIDWord(1, 0, .ecx)] = CPUFeature.vmx.mask | 1
    host.cpuid[CPUIDWord(0x8000_0007, 0, .edx)] = CPUFeature.invariantTSC.mask
    host.cpuid[CPUIDWord(0x8000_000a, 0, .edx)] = 0xff
    let contract = try PoolContract(of: [host])
    #expect(contract.cpuid[CPUIDWord(1, 0, .ecx)] == 1)
    #expect(contract.cpuid[CPUIDWord(0x8000_0007, 0, .edx)] == 0)
    #expect(contract.cpuid[CPUIDWord(0x8000_000a, 0, .edx)] == 0)
  }

  @Test("leaves out numbers that differ, and what means nothing without them")
  func quantities() throws {
    let counters = CPUIDWord(0xa, 0, .eax)
    let (kinds, pdcm) = (CPUIDWord(0xa, 0, .edx), CPUIDWord(1, 0, .ecx))
    var (first, second) = (HostClass.ibrs.offer, HostClass.ibrsAll.offer)
    for word in [counters, kinds] { (first.cpuid[word], second.cpuid[word]) = (0x603, 0x603) }
    (first.cpuid[pdcm], second.cpuid[pdcm]) = (1 << 15, 1 << 15)
    #expect(try PoolContract(of: [first, second]).cpuid[counters] == 0x603)
    second.cpuid[counters] = 0x803
    let contract = try PoolContract(of: [first, second])
    #expect(contract.cpuid[counters] == 0 && contract.cpuid[kinds] == 0 && contract.cpuid[pdcm] == 0)
    #expect(contract.hosts.map(\.costs.cpuid) == [["CPUID.0AH.0:EAX = 0x603"], ["CPUID.0AH.0:EAX = 0x803"]])
  }

  @Test("names the cheapest policy that protects its guest, or the cheapest that runs")
  func policies() throws {
    func choices(_ classes: HostClass...) throws -> [PolicyName] {
      try PoolContract(of: classes.map(\.offer)).hosts.map(\.policy)
    }
    #expect(try choices(.ibrsAll) == [.passthrough])
    #expect(try choices(.ibrsAll, .ibrs) == [.passthrough, .passthrough])
    // A guest that is not told of the register is protected by what the host does alone.
    #expect(try choices(.ibrsAll, .ibrs, .none) == [.emulate, .passthrough, .emulate])
  }

  @Test("of hosts without one vendor, of no host, or of two under one name is refused")
  func refused() {
    var other = HostClass.ibrs.offer
    other.vendor = "AuthenticAMD"
    #expect(throws: PoolError.vendors(["AuthenticAMD", "GenuineIntel"])) {
      try PoolContract(of: [HostClass.ibrsAll.offer, other])
    }
    #expect(throws: PoolError.noHost) { try PoolContract(of: []) }
    #expect(throws: PoolError.sameName("spec-ctrl")) { try PoolContract(of: [HostClass.ibrs.offer, other]) }
  }

  @Test("lets its guest go from each host of the pool to each other")
  func everywhere() throws {
    let hosts = HostClass.allCases.map(\.offer)
    for pool in [[0, 1, 2], [1, 2], [0, 1], [0, 2]].map({ $0.map { hosts[$0] } }) {
      let contract = try PoolContract(of: pool)
      for (host, entry) in zip(pool, contract.hosts) {
        #expect(contract.refusal(at: host, under: entry.policy) == nil, "\(host.name)")
      }
    }
  }

  @Test("is not kept by a host that lacks something of it, or gives another warning")
  func notKept() throws {
    let contract = try PoolContract(of: offers(.ibrsAll))
    #expect(try #require(contract.refusal(at: HostClass.ibrs.offer, under: .passthrough)).contains("IBRS_ALL"))
    #expect(try #require(contract.refusal(at: HostClass.none.offer, under: .emulate)).contains("SSBD"))
    var warned = HostClass.ibrsAll.offer
    warned.archCapabilities.insert(.rsba)
    #expect(try #require(contract.refusal(at: warned, under: .passthrough)).contains("RSBA"))
  }

  @Test("reads back as it was written, and says what is wrong with one that nobody wrote")
  func file() throws {
    let contract = try PoolContract(of: offers(.ibrsAll, .ibrs))
    let data = try JSONEncoder().encode(contract)
    #expect(try JSONDecoder().decode(PoolContract.self, from: data) == contract)
    #expect(contract.problem == nil)
    func problem(_ change: (inout PoolContract) -> Void) -> String? {
      var changed = contract
      change(&changed)
      return changed.problem
    }
    #expect(problem { $0.cpuid[CPUIDWord(5, 0, .eax)] = 1 }?.contains("5.0.eax") == true)
    #expect(problem { $0.cpuid[CPUIDWord(1, 0, .ecx)] |= CPUFeature.vmx.mask }?.contains("VMX") == true)
    #expect(problem { $0.vendor = "Genuine\u{1b}[2J" } != nil)
    #expect(problem { $0.physicalAddressBits = 64 } != nil)
    #expect(problem { $0.linearAddressBits = -1 } != nil)
  }

  @Test("names the rate that every host can give a guest's clock, and leaves out performance capabilities that differ")
  func clocks() throws {
    func contract(_ clocks: GuestClock?..., perf: [UInt64] = [0, 0]) throws -> PoolContract {
      try PoolContract(
        of: zip(clocks, perf).enumerated().map { index, parts in
          var host = HostClass.ibrs.offer
          host.name = "\(index)"
          host.clock = parts.0
          host.cpuid[CPUIDWord(1, 0, .ecx)] = FeatureMSRs.pdcm
          host.featureMSRs = FeatureMSRs([MSREntry(.perfCapabilities, parts.1)])
          return host
        })
    }
    let slow = GuestClock(kilohertz: 2_000_000, canScale: false)
    let fast = GuestClock(kilohertz: 3_000_000, canScale: true)
    #expect(try contract(slow, fast).tscKilohertz == 2_000_000)
    #expect(try contract(fast, slow).tscKilohertz == 2_000_000)
    #expect(try contract(slow, GuestClock(kilohertz: 2_000_400, canScale: false)).tscKilohertz == 2_000_000)
    #expect(try contract(slow, nil).tscKilohertz == nil)
    let none = try contract(slow, GuestClock(kilohertz: 3_000_000, canScale: false))
    #expect(none.tscKilohertz == nil && none.hosts.map(\.costs.clock) == [["2000.0 MHz"], ["3000.0 MHz"]])
    #expect(try contract(slow, slow).cpuid[CPUIDWord(1, 0, .ecx)] == FeatureMSRs.pdcm)
    let differing = try contract(slow, slow, perf: [0x2000, 0])
    #expect(differing.cpuid[CPUIDWord(1, 0, .ecx)] == 0)
    #expect(differing.hosts.map(\.costs.featureMSRs) == [[], ["IA32_PERF_CAPABILITIES"]])
  }

  @Test("of a file from before there were clocks and feature MSRs is read")
  func older() throws {
    var json = try JSONValue(encoding: try PoolContract(of: offers(.ibrs)))
    for key in ["clock", "featureMSRs"] { json = json.replacing("hosts.0.costs.\(key)", with: nil) }
    json = json.replacing("tscKilohertz", with: nil)
    let read = try JSONDecoder().decode(PoolContract.self, from: Data(json.bytes))
    #expect(read.tscKilohertz == nil && read.hosts[0].costs == PoolContract.Costs())
  }

  @Test("masks every feature word of a CPUID, and the state that goes with it")
  func masking() throws {
    let model = CPUIDModel([
      CPUIDEntry(function: 0, eax: 0x1c), CPUIDEntry(function: 1, eax: 0x50654, ecx: 0x1400_0001, edx: 0xf),
      CPUIDEntry(function: 0xd, index: 0, eax: 0xe7, ebx: 576, ecx: 2688),
      CPUIDEntry(function: 0xd, index: 1), CPUIDEntry(function: 0xd, index: 2, eax: 256, ebx: 576),
      CPUIDEntry(function: 0xd, index: 5, eax: 64, ebx: 1088),
      CPUIDEntry(function: 0xd, index: 7, eax: 1024, ebx: 1664),
      CPUIDEntry(function: 0x8000_0008, eax: 0x302e),
    ])
    var contract = try PoolContract(of: offers(.ibrs))
    contract.cpuid[CPUIDWord(1, 0, .ecx)] = 1
    contract.cpuid[CPUIDWord(1, 0, .edx)] = 0x7
    contract.cpuid[CPUIDWord(0xd, 0, .eax)] = 0x7
    contract.physicalAddressBits = 39
    let masked = model.masked(by: contract)
    #expect(FeatureWords(masked) == contract.cpuid)
    #expect(masked[1]?.eax == 0x50654, "what only describes stays")
    #expect(masked.entries.filter { $0.function == 0xd }.map(\.index) == [0, 1, 2])
    #expect(masked[0xd, 0]?.ecx == 832)
    #expect(masked[0x8000_0008]?.eax == 0x3027)
    #expect(masked.vendor == "GenuineIntel")
  }

  @Test("of this host starts a guest here that is told just that", .needsKVM)
  func thisHost() throws {
    let kvm = try KVM()
    let offer = try HostOffer.prove(on: kvm)
    let contract = try PoolContract(of: [offer])
    let policy = contract.hosts[0].policy
    let told = try contract.guestContract(on: kvm, offering: offer, under: policy)
    var cpu = try kvm.makeVM().makeVCPU()
    try cpu.setCPUID(told.cpuid)
    let seen = FeatureWords(try cpu.cpuid())
    #expect(seen.missing(from: contract.cpuid) == [] && contract.cpuid.missing(from: seen) == [])
  }

  @Test("that asks for more than this host has is refused here", .needsKVM)
  func moreThanThisHost() throws {
    let kvm = try KVM()
    let offer = try HostOffer.prove(on: kvm)
    var contract = try PoolContract(of: [offer])
    // A bit that no processor has.
    contract.cpuid[CPUIDWord(7, 0, .edx)] |= 1 << 7
    #expect(throws: ContractRefusal.self) {
      _ = try contract.guestContract(on: kvm, offering: offer, under: contract.hosts[0].policy)
    }
  }
}
