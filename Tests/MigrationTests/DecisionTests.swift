// Whether a guest may move, rule by rule. Each test begins with a guest that may, and changes one thing.

import Hypervisor
import Migration
import Testing

@Suite("The decision whether a guest may move")
struct DecisionTests {
  /// A guest that a class of host starts under a policy.
  private func guest(from source: HostClass, under policy: PolicyName) throws -> MovingGuest {
    try #require(MovingGuest(startedAt: source.offer, under: policy))
  }

  private func decision(
    from source: HostClass, under policy: PolicyName, to destination: HostClass, then other: PolicyName? = nil
  ) throws -> Decision {
    Decision(of: try guest(from: source, under: policy), to: destination.offer, under: other ?? policy)
  }

  @Test("a guest may move to a host of its own kind under its own policy", arguments: HostClass.allCases)
  func sameKind(host: HostClass) {
    for policy in PolicyName.allCases {
      guard let guest = MovingGuest(startedAt: host.offer, under: policy) else { continue }
      guard case .allowed(let protection) = Decision(of: guest, to: host.offer, under: policy) else {
        Issue.record("\(policy) on \(host): \(Decision(of: guest, to: host.offer, under: policy))")
        continue
      }
      #expect(protection.level == guest.protection)
    }
  }

  @Test("a guest without IBRS_ALL may move to a host with it")
  func gainsIBRSAll() throws {
    for policy in [PolicyName.passthrough, .autoload, .manual] {
      #expect(try decision(from: .ibrs, under: policy, to: .ibrsAll).text == "allowed")
    }
    guard case .allowed(let protection) = try decision(from: .ibrs, under: .emulate, to: .ibrsAll) else {
      Issue.record("emulate is refused")
      return
    }
    #expect(protection.level == .always)
  }

  @Test(
    "a guest that was told IBRS_ALL is unprotected where it is missing, and leaving IBRS set does not help",
    arguments: [PolicyName.passthrough, .autoload, .manual, .shadow])
  func losesIBRSAll(policy: PolicyName) throws {
    let decision = try decision(from: .ibrsAll, under: policy, to: .ibrs)
    #expect(decision.text == "unprotected")
    #expect(decision.reason.contains("leaving IBRS set does not replace"))
    #expect(decision.reason.contains("barrier"))
    #expect(decision.reason.contains("user mode with IBRS set is slow"))
  }

  @Test("emulate protects only with IBRS_ALL at the destination")
  func emulateNeedsIBRSAll() throws {
    let lost = try decision(from: .ibrsAll, under: .emulate, to: .ibrs)
    #expect(lost.text == "unprotected" && lost.reason.contains("only on a processor with IBRS_ALL"))
    #expect(try decision(from: .ibrs, under: .passthrough, to: .ibrs, then: .emulate).text == "unprotected")
    #expect(try decision(from: .ibrsAll, under: .passthrough, to: .ibrsAll, then: .emulate).text == "allowed")
  }

  @Test("a guest that the host restricted and that never wrote the register is unprotected where it would have to")
  func neverWrote() throws {
    for (host, policy) in [(HostClass.ibrsAll, PolicyName.emulate), (.ibrsAll, .shadow), (.ibrs, .shadow)] {
      var guest = try guest(from: host, under: policy)
      #expect(Decision(of: guest, to: host.offer, under: .passthrough).text == "allowed", "it has set IBRS")
      guest.inUse = []
      let lost = Decision(of: guest, to: host.offer, under: .passthrough)
      #expect(lost.text == "unprotected" && lost.reason.contains("never written"), "\(lost)")
      #expect(Decision(of: guest, to: host.offer, under: policy).text == "allowed")
      guest.hasWritten = true
      #expect(Decision(of: guest, to: host.offer, under: .passthrough).text == "allowed", "it writes at each entry")
    }
  }

  @Test("a guest that was not protected loses nothing, and is still said to be unprotected")
  func nothingToLose() throws {
    guard case .allowed(let protection) = try decision(from: .none, under: .emulate, to: .ibrs) else {
      Issue.record("refused")
      return
    }
    #expect(protection.level == .none)
    // It was told a false IBRS_ALL, and would set IBRS once.
    guard case .allowed(let owned) = try decision(from: .none, under: .emulate, to: .ibrs, then: .passthrough) else {
      Issue.record("refused")
      return
    }
    #expect(owned.level == .none)
    #expect(owned.reason.contains("barrier"))
  }

  @Test("a guest that sees SPEC_CTRL bits which the destination lacks is refused, by name")
  func missingBits() throws {
    for policy in PolicyName.allCases {
      let decision = try decision(from: .ibrs, under: policy, to: .none)
      #expect(decision.text == "refused")
      #expect(decision.reason.contains("SSBD"))
    }
    var destination = HostClass.ibrs.offer
    destination.cpuid[CPUIDWord(7, 0, .edx)] &= ~CPUFeature.ssbd.mask
    let decision = Decision(
      of: try guest(from: .ibrs, under: .passthrough), to: destination, under: .passthrough)
    #expect(decision == .refused("the guest was told SSBD, which the destination's KVM does not offer"))
  }

  @Test(
    "a guest without the bits of another host's SPEC_CTRL goes there under a policy that owns the register, unprotected"
  )
  func unawareGuest() throws {
    var guest = try guest(from: .none, under: .emulate)
    for feature in [CPUFeature.specCtrl, .stibp, .ssbd] { guest.contract.cpuid.set(feature, to: false) }
    guest.inUse = []
    guard case .allowed(let protection) = Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough) else {
      Issue.record("refused")
      return
    }
    #expect(protection.level == .none)
    // Where IBRS was kept on for it, it loses that.
    guest.protection = .always
    #expect(Decision(of: guest, to: HostClass.ibrsAll.offer, under: .passthrough).text == "unprotected")
    #expect(Decision(of: guest, to: HostClass.ibrsAll.offer, under: .emulate).text == "allowed")
  }

  @Test("the barrier that CPUID's SPEC_CTRL stands for must be at the destination, if it was at the source")
  func barrier() throws {
    var guest = try guest(from: .ibrs, under: .emulate)
    for feature in [CPUFeature.stibp, .ssbd] { guest.contract.cpuid.set(feature, to: false) }
    let decision = Decision(of: guest, to: HostClass.none.offer, under: .emulate)
    #expect(decision.text == "refused")
    #expect(decision.reason.contains("IBPB"))
    guest.hasIBPB = false
    #expect(Decision(of: guest, to: HostClass.none.offer, under: .emulate).text == "allowed")
  }

  @Test("what a policy would add and the destination's KVM drops in silence was not promised there")
  func droppedAdditions() throws {
    var destination = HostClass.none.offer
    let guest = try guest(from: .none, under: .emulate)
    #expect(Decision(of: guest, to: destination, under: .emulate).text == "allowed")
    destination.addable = FeatureWords()
    let decision = Decision(of: guest, to: destination, under: .emulate)
    #expect(decision == .refused("the guest was told SPEC_CTRL, which the destination's KVM does not offer"))
  }

  @Test("a guest of another vendor's processor is refused")
  func vendor() throws {
    var destination = HostClass.ibrs.offer
    destination.vendor = "AuthenticAMD"
    let decision = Decision(of: try guest(from: .ibrs, under: .emulate), to: destination, under: .emulate)
    #expect(decision.text == "refused")
    #expect(decision.reason.contains("GenuineIntel") && decision.reason.contains("AuthenticAMD"))
  }

  @Test("any feature of CPUID that was told and is not offered is refused, by name or by place")
  func features() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.contract.cpuid.set(.rdtscp, to: true)
    guest.contract.cpuid.set(CPUFeature("", leaf: 7, .ebx, bit: 16), to: true)
    guest.contract.cpuid.set(CPUFeature("", leaf: 7, .ebx, bit: 22), to: true)
    let decision = Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough)
    #expect(
      decision
        == .refused(
          "the guest was told AVX512F, CPUID.07H.0:EBX[22] and RDTSCP, which the destination's KVM does not offer"))
  }

  @Test("bits that follow the guest's own registers say nothing about a host")
  func runtimeBits() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    for (leaf, register, bit) in [
      (1, CPUFeature.Register.ecx, 27), (1, .ecx, 3), (1, .ecx, 31), (1, .edx, 9), (7, .ecx, 4),
    ] {
      guest.contract.cpuid.set(CPUFeature("", leaf: UInt32(leaf), register, bit: bit), to: true)
    }
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "allowed")
  }

  @Test("performance counters must be the same, or not told")
  func quantities() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.contract.cpuid[0xa] = CPUIDEntry(function: 0xa, eax: 0x0730_0402)
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "refused")
    var destination = HostClass.ibrs.offer
    destination.cpuid[CPUIDWord(0xa, 0, .eax)] = 0x0730_0402
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "allowed")
    destination.cpuid[CPUIDWord(0xa, 0, .eax)] = 0x0730_0802
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "refused")
  }

  @Test("wider addresses than the destination's are refused")
  func addresses() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.contract.cpuid[0x8000_0008]?.eax = 0x3934
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "refused")
    var destination = HostClass.ibrs.offer
    (destination.physicalAddressBits, destination.linearAddressBits) = (52, 57)
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "allowed")
    destination.physicalAddressBits = 39
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "refused")
  }

  @Test("a promise that the destination does not give leaves the guest unprotected")
  func promises() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.contract.archCapabilities = [.rdclNo, .mdsNo]
    var destination = HostClass.ibrs.offer
    destination.archCapabilities = .rdclNo
    #expect(
      Decision(of: guest, to: destination, under: .passthrough)
        == .unprotected("the guest was told MDS_NO, which the destination does not promise"))
    // What CPUID does not announce was not told.
    guest.contract.cpuid.set(.archCapabilities, to: false)
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "allowed")
  }

  @Test("a promise that stands in CPUID is a promise as well")
  func promisesOfCPUID() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    for feature in [CPUFeature.mdClear, .amdSSBNo] { guest.contract.cpuid.set(feature, to: true) }
    guest.contract.archCapabilities = .mdsNo
    #expect(
      Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough)
        == .unprotected("the guest was told MD_CLEAR, AMD_SSB_NO and MDS_NO, which the destination does not promise"))
  }

  @Test("a control that the destination lacks is refused, and a bit without a name as well")
  func controls() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.contract.archCapabilities = .tsxCtrl
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "refused")
    guest.contract.archCapabilities = ArchCapabilities(rawValue: 1 << 40)
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "refused")
  }

  @Test("a warning that the guest was not given leaves it unprotected; one that it was given needs no reason")
  func warnings() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    var destination = HostClass.ibrs.offer
    destination.archCapabilities = .rsba
    let decision = Decision(of: guest, to: destination, under: .passthrough)
    #expect(decision.text == "unprotected")
    #expect(decision.reason.contains("RSBA"))
    guest.contract.archCapabilities = .rsba
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "allowed")
    guest.contract.archCapabilities = []
    var always = HostClass.ibrsAll.offer
    always.archCapabilities.insert(.rsba)
    #expect(Decision(of: guest, to: always, under: .emulate).text == "allowed", "IBRS is kept on there")
    #expect(Decision(of: guest, to: always, under: .passthrough).text == "unprotected")
    guest.contract.archCapabilities = .rsba
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "allowed")
  }

  @Test("VERW that clears nothing at the destination matters where something needs it")
  func clearing() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.contract.archCapabilities = .fbClear
    var destination = HostClass.ibrs.offer
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "unprotected")
    destination.archCapabilities = [.mdsNo, .taaNo, .sbdrSSDPNo, .fbsdpNo, .psdpNo]
    #expect(Decision(of: guest, to: destination, under: .passthrough).text == "allowed")
  }

  @Test("bits that the guest has set, told or not, must go into the destination's register")
  func bitsInUse() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.inUse = [.ibrs, .psfd]
    let decision = Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough)
    #expect(decision.text == "refused")
    #expect(decision.reason.contains("PSFD"))
  }

  @Test("a guest that writes what it was not told of needs a policy that traps")
  func untoldWriter() throws {
    var guest = try guest(from: .none, under: .emulate)
    guest.contract.cpuid.set(.specCtrl, to: false)
    let decision = Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough)
    #expect(decision.text == "refused" && decision.reason.contains("without having been told"))
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .emulate).text == "allowed")
  }

  @Test("SSBD that the guest has set is lost under a policy that passes nothing on")
  func droppedBits() throws {
    var guest = try guest(from: .ibrsAll, under: .passthrough)
    guest.inUse = [.ibrs, .ssbd]
    let decision = Decision(of: guest, to: HostClass.ibrsAll.offer, under: .emulate)
    #expect(decision == .unprotected("SSBD, which the guest has set, would change nothing under emulate"))
    #expect(Decision(of: guest, to: HostClass.ibrsAll.offer, under: .shadow).text == "allowed")
  }

  @Test("a policy that the destination cannot run is refused with its reason")
  func policies() throws {
    var destination = HostClass.ibrs.offer
    destination.abilities = HostAbilities(
      subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: false, canInterceptMSRs: false)
    let decision = Decision(of: try guest(from: .ibrs, under: .emulate), to: destination, under: .emulate)
    #expect(decision.text == "refused")
    #expect(decision.reason.contains("KVM_CAP_X86_USER_SPACE_MSR"))
  }

  @Test("what was proved about another MSR decides nothing")
  func otherSubject() throws {
    var guest = try guest(from: .ibrs, under: .passthrough)
    guest.subject = .predCmd
    #expect(Decision(of: guest, to: HostClass.ibrs.offer, under: .passthrough).text == "refused")
  }
}
