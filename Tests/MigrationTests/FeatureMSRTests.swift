// What a guest was told by feature MSRs and by its clock, and which hosts take that.

import Experiments
import FoundationEssentials
import Hypervisor
import TestSupport
import Testing

@testable import Migration

@Suite("Feature MSRs and the clock of a guest that moves")
struct FeatureMSRTests {
  private func msrs(_ values: [UInt32: UInt64]) -> FeatureMSRs {
    FeatureMSRs(values.map { MSREntry(MSR($0.key), $0.value) })
  }

  private func missing(_ msr: UInt32, _ told: UInt64, at offered: UInt64?, _ others: [UInt32: UInt64] = [:]) -> Bool {
    var host = others
    host[msr] = offered
    return msrs([msr: told]).missing(from: msrs(host)) == [MSR(msr)]
  }

  /// A guest that was told VMX and performance capabilities.
  private func guest(_ values: [UInt32: UInt64], toldInvariantTSC: Bool = false) throws -> MovingGuest {
    var host = HostClass.ibrsAll.offer
    host.cpuid[CPUIDWord(1, 0, .ecx)] = CPUFeature.vmx.mask | FeatureMSRs.pdcm
    if toldInvariantTSC { host.cpuid[CPUIDWord(0x8000_0007, 0, .edx)] = CPUFeature.invariantTSC.mask }
    host.featureMSRs = msrs(values)
    return try #require(MovingGuest(startedAt: host, under: .passthrough))
  }

  private func host(_ values: [UInt32: UInt64]?, clock: GuestClock? = nil) -> HostOffer {
    var host = HostClass.ibrsAll.offer
    host.cpuid[CPUIDWord(1, 0, .ecx)] = CPUFeature.vmx.mask | FeatureMSRs.pdcm
    host.cpuid[CPUIDWord(0x8000_0007, 0, .edx)] = CPUFeature.invariantTSC.mask
    host.featureMSRs = values.map(msrs)
    host.clock = clock
    return host
  }

  @Test("controls: the destination requires no more than the guest was told, and allows no less")
  func controls() {
    for msr in [0x481, 0x482, 0x483, 0x484, 0x48b, 0x48d, 0x490] as [UInt32] {
      let told: UInt64 = 0x0000_00ff_0000_0016
      #expect(!missing(msr, told, at: told))
      #expect(!missing(msr, told, at: 0x0000_01ff_0000_0016), "one control more may be used")
      #expect(!missing(msr, told, at: 0x0000_00ff_0000_0006), "one less must be")
      #expect(missing(msr, told, at: 0x0000_007f_0000_0016), "one that the guest may use is gone")
      #expect(missing(msr, told, at: 0x0000_00ff_0000_0017), "one must be used that the guest does not know")
      #expect(missing(msr, told, at: nil))
    }
  }

  @Test("features: no more than the destination has; what must be 1 of CR0 and CR4 the other way round")
  func features() {
    for msr in [0x487, 0x489, 0x48c, 0x491, 0xc001_1029] as [UInt32] {
      #expect(!missing(msr, 0x141, at: 0x1141) && missing(msr, 0x1141, at: 0x141) && missing(msr, 1, at: nil))
      #expect(!missing(msr, 0, at: nil), "a guest that reads 0 was told nothing")
    }
    for msr in [0x486, 0x488] as [UInt32] {
      #expect(!missing(msr, 0x8000_0021, at: 0x21) && missing(msr, 0x21, at: 0x8000_0021))
    }
    #expect(!missing(0x48a, 0x2e, at: 0x34) && !missing(0x48a, 0x34, at: 0x2e), "the highest index only describes")
    #expect(missing(0x4711, 1, at: 3), "what is not known must be the same")
  }

  @Test("the basic information: the same revision, a VMCS that is no larger, no feature more")
  func basic() {
    let told: UInt64 = 1 << 54 | 6 << 50 | 0x400 << 32 | 4
    #expect(!missing(0x480, told, at: told | 1 << 55) && missing(0x480, told | 1 << 55, at: told))
    #expect(missing(0x480, told, at: told + 1) && missing(0x480, told, at: told + 1 << 32))
    #expect(!missing(0x480, told, at: told - 1 << 32))
  }

  @Test("miscellaneous data: the rate of the preemption timer only where there is one")
  func miscellaneous() {
    let told: UInt64 = 1 << 29 | 4 << 16 | 0x1e0 | 5
    #expect(!missing(0x485, told, at: told ^ 1) && missing(0x485, told, at: told ^ 1, [0x481: 1 << 38]))
    #expect(missing(0x485, told, at: told & ~(1 << 29)) && missing(0x485, told, at: told - 1 << 16))
    #expect(!missing(0x485, told, at: told + 1 << 16) && missing(0x485, told, at: told | 1 << 32))
  }

  @Test("performance capabilities: the formats the same where one was told, every other bit a feature")
  func performance() {
    #expect(!missing(0x345, 0x2000, at: 0x2005) && missing(0x345, 0x2005, at: 0x2006) && missing(0x345, 0x2000, at: 5))
    #expect(missing(0x345, 0x400, at: 0x300) && !missing(0x345, 0, at: 0x300))
    for bit in [0x40, 0x80, 0x4000] as [UInt64] {
      #expect(missing(0x345, 0x400, at: 0x400 | bit), "how PEBS works is the same, where there is PEBS")
      #expect(missing(0x345, 0x400 | bit, at: 0x400) && !missing(0x345, 0x400 | bit, at: 0x400 | bit))
      #expect(!missing(0x345, 0x2000, at: 0x2000 | bit))
    }
  }

  @Test("a host whose KVM would refuse them refuses the guest, by name: EPT turned off")
  func refused() throws {
    let own: [UInt32: UInt64] = [0x48b: 0x7a << 32, 0x48c: 0xf01_0633_4141, 0x491: 1, 0x345: 0x2000]
    let guest = try guest(own)
    #expect(Decision(of: guest, to: host(own), under: .passthrough).text == "allowed")
    let without = host([0x48b: 0x78 << 32, 0x48c: 0xf01_0000_0000, 0x345: 0x2000])
    #expect(
      Decision(of: guest, to: without, under: .passthrough)
        == .refused(
          "the guest was told values of IA32_VMX_PROCBASED_CTLS2, IA32_VMX_EPT_VPID_CAP and IA32_VMX_VMFUNC that the "
            + "destination's KVM does not accept"))
    // Who was not told VMX knows nothing of it.
    var plain = guest
    plain.featureMSRs = msrs(own).known(by: HostClass.ibrs.offer.cpuid.model)
    #expect(Decision(of: plain, to: without, under: .passthrough).text == "allowed")
  }

  @Test("what an older file does not tell is not known: it refuses nobody, and the plan says so")
  func unknown() throws {
    let json = try JSONValue(encoding: HostClass.ibrsAll.offer)
    let older = try JSONDecoder().decode(
      HostOffer.self, from: Data(json.replacing("clock", with: nil).replacing("featureMSRs", with: nil).bytes))
    #expect(older.clock == nil && older.featureMSRs == nil)
    #expect(Decision(of: try guest([0x48c: 1]), to: host(nil), under: .passthrough).text == "allowed")
    let row = try #require(MigrationPlan(for: [older]).rows.first { $0.outcome == .allowed })
    #expect(row.warnings.count == 2 && row.warnings.allSatisfy { $0.hasSuffix("known") }, "\(row.warnings)")
  }

  @Test("an offer with them reads back as it was written, and one with a number that is none is refused")
  func json() throws {
    let offer = host([0x480: .max, 0xc001_1029: 2], clock: GuestClock(kilohertz: 2_445_430, canScale: true))
    #expect(try JSONDecoder().decode(HostOffer.self, from: try JSONEncoder().encode(offer)) == offer)
    for key in ["480", "0x0480", "0X480", "1152", "-0x1", "", "0x1ffffffff"] {
      #expect(throws: DecodingError.self) {
        _ = try JSONDecoder().decode(FeatureMSRs.self, from: Data("{\"\(key)\": 1}".utf8))
      }
    }
  }

  // MARK: The clock

  @Test("a clock within 250 ppm is the same, and one that is scaled is kept")
  func tolerance() {
    #expect(GuestClock.isSame(2_000_000, 2_000_500) && !GuestClock.isSame(2_000_000, 2_000_501))
    #expect(GuestClock.isSame(2_000_500, 2_000_000) && !GuestClock.isSame(0, 0) && !GuestClock.isSame(.max, .max))
    #expect(GuestClock(kilohertz: 1, canScale: true).gives(2_000_000))
    #expect(!GuestClock(kilohertz: 3_000_000, canScale: false).gives(2_000_000))
  }

  @Test("another rate is a warning for good, and where INVARIANT_TSC was told it must be accepted")
  func rates() throws {
    let other = host([:], clock: GuestClock(kilohertz: 3_000_000, canScale: false))
    var guest = try guest([:])
    guest.tscKilohertz = 2_000_000
    #expect(Decision(of: guest, to: other, under: .passthrough).text == "allowed")
    let warnings = Decision.warnings(of: guest, at: other)
    #expect(warnings.count == 1 && warnings[0].contains("2000.0 MHz") && warnings[0].contains("3000.0 MHz"))

    guest = try self.guest([:], toldInvariantTSC: true)
    guest.tscKilohertz = 2_000_000
    let decision = Decision(of: guest, to: other, under: .passthrough)
    #expect(decision.text == "unprotected" && decision.reason.contains("INVARIANT_TSC"), "\(decision)")
    #expect(Decision.warnings(of: guest, at: other).isEmpty, "consent says it already")

    for same in [GuestClock(kilohertz: 3_000_000, canScale: true), GuestClock(kilohertz: 2_000_400, canScale: false)] {
      let there = host([:], clock: same)
      #expect(Decision(of: guest, to: there, under: .passthrough).text == "allowed")
      #expect(Decision.warnings(of: guest, at: there).isEmpty)
    }
    #expect(
      Decision.warnings(of: guest, at: host([:]))
        == ["the rate of the time-stamp counter at \(other.name) is not known"])
    guest.tscKilohertz = nil
    #expect(Decision(of: guest, to: other, under: .passthrough).text == "allowed")
  }

  @Test("this host's KVM tells both, and takes its own guests", .needsKVM)
  func thisHost() throws {
    let kvm = try KVM()
    let offer = try HostOffer.prove(on: kvm)
    let told = try #require(try kvm.featureMSRs())
    #expect(offer.featureMSRs == FeatureMSRs(told))
    #expect(offer.featureMSRs.map { $0.missing(from: $0).isEmpty } == true)
    let clock = try #require(offer.clock)
    #expect(clock.kilohertz > 0 && clock.gives(clock.kilohertz))
  }
}
