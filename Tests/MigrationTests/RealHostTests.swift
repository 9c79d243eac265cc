// The decision about two real hosts, by what `spectrap probe --json` printed on them.
//
// Fixtures: `scripts/lab intel -- spectrap probe --json > Fixtures/intel.json` and the same for intel-old
// (docs/lab.md): kvm_intel of Linux 6.1 on Ice Lake with SPEC_CTRL and IBRS_ALL, and on Skylake-X without either.

import FoundationEssentials
import Hypervisor
@testable import Migration
import Testing

@Suite("Two real hosts")
struct RealHostTests {
  private struct Document: Decodable { var offer: HostOffer }

  private func offer(_ name: String) throws -> HostOffer {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name).json")
    var offer = try JSONDecoder().decode(Document.self, from: Data(contentsOf: file)).offer
    offer.name = name
    return offer
  }

  @Test("are what the lab says that they are")
  func offers() throws {
    let (new, old) = (try offer("intel"), try offer("intel-old"))
    #expect(new.vendor == "GenuineIntel" && old.vendor == "GenuineIntel")
    #expect(new.specCtrl == [.ibrs, .stibp, .ssbd] && new.abilities.hasIBRSAll && new.hasIBPB)
    #expect(old.specCtrl == [] && !old.abilities.hasIBRSAll && !old.hasIBPB)
    #expect(new.archCapabilities.rawValue == 0x800_005f)
    // KVM does not offer SPEC_CTRL there, and tells a guest of it when a policy asks.
    #expect(old.addable[CPUIDWord(7, 0, .edx)] == CPUFeature.specCtrl.mask)
  }

  @Test("keep their own guests, under every policy that they can run")
  func own() throws {
    for host in [try offer("intel"), try offer("intel-old")] {
      for policy in PolicyName.allCases {
        guard let guest = MovingGuest(startedAt: host, under: policy) else { continue }
        #expect(Decision(of: guest, to: host, under: policy).text == "allowed", "\(host.name) \(policy)")
      }
    }
  }

  @Test("do not take each other's guests, for features that only one of them has")
  func refused() throws {
    let (new, old) = (try offer("intel"), try offer("intel-old"))
    let fromNew = try #require(MovingGuest(startedAt: new, under: .emulate))
    let down = Decision(of: fromNew, to: old, under: .emulate)
    #expect(down.text == "refused")
    for name in ["STIBP", "SSBD", "GFNI", "SHA_NI", "AMD_IBPB"] { #expect(down.reason.contains(name), "\(name)") }
    let fromOld = try #require(MovingGuest(startedAt: old, under: .emulate))
    let up = Decision(of: fromOld, to: new, under: .emulate)
    #expect(up == .refused("the guest was told CLWB, which the destination's KVM does not offer"))
  }

  @Test("take any guest of their pool's contract from each other")
  func pool() throws {
    let hosts = [try offer("intel"), try offer("intel-old")]
    let contract = try PoolContract(of: hosts)
    #expect(contract.hosts.map(\.policy) == [.emulate, .emulate])
    #expect(contract.hosts.map(\.protection) == [.always, .none])
    #expect(contract.archCapabilities == [.rsba, .skipL1DFlushOnEntry, .ifPschangeMCNo, .rfdsNo])
    #expect(contract.hosts[0].costs == .init(cpuid: ["CLWB"], archCapabilities: ["ITS_NO"], warnings: ["RSBA"]))
    var guest = MovingGuest(
      contract: contract.guestContract, policy: .emulate, subject: .specCtrl, protection: .none, inUse: [],
      hasIBPB: false)
    for host in hosts { #expect(Decision(of: guest, to: host, under: .emulate).text == "allowed") }
    // Where IBRS was kept on for it, it may not go down unnoticed.
    guest.protection = .always
    #expect(Decision(of: guest, to: hosts[1], under: .emulate).text == "unprotected")
    #expect(Decision(of: guest, to: hosts[0], under: .emulate).text == "allowed")
  }
}
