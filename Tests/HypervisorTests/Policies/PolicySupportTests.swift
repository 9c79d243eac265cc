// What each policy says of a host beforehand: whether it can run there, why not, and what it protects.

import Testing

@testable import Hypervisor

@Suite("A policy's support")
struct PolicySupportTests {
  private static let proofs: [RegisterProof] = [
    .held(wrote: 1), .dropped(wrote: 1, readBack: 0), .accepted(wrote: 1), .ignored(wrote: 1), .unreadable,
    .faulted(wrote: 1), .inconclusive(endedWith: "HLT"), .moving,
  ]

  /// Every combination of what a host may be able to do.
  private static let hosts: [HostAbilities] = [MSR.specCtrl, .kernelGSBase].flatMap { subject in
    proofs.flatMap { proof in
      [false, true].flatMap { hasIBRSAll in
        [false, true].map { canIntercept in
          HostAbilities(
            subject: subject, register: proof, hasIBRSAll: hasIBRSAll, canInterceptMSRs: canIntercept)
        }
      }
    }
  }

  /// The level of protection, nil when the policy is refused.
  private func level(_ support: PolicySupport) -> Protection.Level? {
    switch support {
    case .supported(let protection):
      #expect(!protection.reason.isEmpty)
      return protection.level
    case .refused(let reason):
      #expect(!reason.isEmpty)
      return nil
    }
  }

  @Test("of passthrough, autoload and manual needs a register that holds its value, and nothing else", arguments: hosts)
  func register(host: HostAbilities) {
    let expected: Protection.Level? =
      host.register.isHeld ? (host.subject == .specCtrl ? .guest : .notApplicable) : nil
    #expect(level(Passthrough.support(on: Terms(host))) == expected)
    #expect(level(Autoload.support(on: Terms(host))) == expected)
    #expect(level(Manual.support(on: Terms(host))) == expected)
  }

  @Test("of emulate needs interception; it protects where IBRS_ALL is kept on, and says so where not", arguments: hosts)
  func emulate(host: HostAbilities) {
    let protects = host.hasIBRSAll && host.register.isHeld
    let expected: Protection.Level? =
      !host.canInterceptMSRs
      ? nil : host.subject != .specCtrl ? .notApplicable : protects ? .always : Protection.Level.none
    #expect(level(Emulate.support(on: Terms(host))) == expected)
  }

  @Test("of emulate is the guest's own where automatic IBRS is used and offered and there is no IBRS_ALL")
  func automaticIBRS() {
    for hasIBRSAll in [false, true] {
      let host = HostAbilities(
        subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: hasIBRSAll, canInterceptMSRs: true,
        hasAutomaticIBRS: true)
      #expect(level(Emulate.support(on: Terms(host))) == (hasIBRSAll ? .always : .guest))
    }
  }

  @Test("says that a guest relies on an IBRS_ALL in vain where it is told one, and nowhere else", arguments: hosts)
  func told(host: HostAbilities) throws {
    let announced = CPUIDModel([CPUIDEntry(function: 7, edx: 1 << 29)])
    let none = GuestContract(cpuid: CPUIDModel([]), archCapabilities: .ibrsAll)
    let told = GuestContract(cpuid: announced, archCapabilities: .ibrsAll)
    for policy in PolicyName.allCases {
      guard case .supported(let protection) = policy.support(on: Terms(host)) else { continue }
      // What the policy wishes decides nothing: a KVM may tell the guest less.
      #expect(!protection.reason.contains("is told"))
      #expect(protection.given(none, about: host.subject) == protection)
      #expect(
        protection.given(GuestContract(cpuid: announced, archCapabilities: []), about: host.subject) == protection)
      // A barrier that is dropped is another matter.
      #expect(protection.given(told, about: .predCmd) == protection)
      let given = protection.given(told, about: host.subject)
      let isMisled = protection.level == .none && host.subject == .specCtrl
      #expect(given.reason.contains("the guest is told IBRS_ALL") == isMisled, "\(given.reason)")
      #expect(given.reason.hasPrefix(protection.reason) && given.level == protection.level)
    }
  }

  @Test(
    "of shadow needs interception; it keeps IBRS where there is a register, and says where that is not enough",
    arguments: hosts)
  func shadow(host: HostAbilities) {
    let held: Protection.Level = host.hasIBRSAll ? .always : .maskedBits
    let expected: Protection.Level? =
      !host.canInterceptMSRs
      ? nil : host.subject != .specCtrl ? .notApplicable : host.register.isHeld ? held : Protection.Level.none
    #expect(level(Shadow.support(on: Terms(host))) == expected)
  }

  @Test("of emulate and shadow names the bits that are the host's own, where those are more than IBRS")
  func hostBits() {
    let host = HostAbilities(
      subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: true, canInterceptMSRs: true, hostBits: .bhiDisS)
    for support in [Emulate.support(on: Terms(host)), Shadow.support(on: Terms(host))] {
      guard case .supported(let protection) = support else { return #expect(Bool(false), "it is supported") }
      #expect(protection.level == .always)
      #expect(
        protection.reason.hasPrefix("IBRS, BHI_DIS_S (0x401, as the host's kernel has it) are kept on in hardware"))
    }
    let without = HostAbilities(
      subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: false, canInterceptMSRs: true, hostBits: .bhiDisS)
    #expect(host.keptOn == [.ibrs, .bhiDisS] && without.keptOn == [])
    var shadow = Shadow()
    shadow.settle(on: Terms(host))
    #expect(shadow.mask == 0x401 && shadow.registerValue(forWritten: 0x6) == 0x6)
    var own = Shadow(mask: 0x2)
    own.settle(on: Terms(host))
    #expect(own.mask == 0x2, "a mask that was asked for stays")
  }

  @Test("of a shadow that does not keep IBRS set never says that IBRS is kept on")
  func otherMask() {
    let host = HostAbilities(subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: true, canInterceptMSRs: true)
    #expect(level(Shadow().support(on: Terms(host))) == .always)
    for policy in [Shadow(mask: SpecCtrl.stibp.rawValue), Shadow(keeping: 0), Shadow(mask: 0)] {
      #expect(level(policy.support(on: Terms(host))) == .maskedBits)
    }
  }

  @Test("for a barrier lets the guest's own through, or says that they are dropped; there is no value to save")
  func commands() {
    for msr in [MSR.predCmd, .flushCmd] {
      for proof in Self.proofs {
        let host = HostAbilities(subject: msr, register: proof, hasIBRSAll: true, canInterceptMSRs: true)
        #expect(level(Emulate.support(on: Terms(host))) == Protection.Level.none)
        #expect(level(Shadow.support(on: Terms(host))) == Protection.Level.none)
        guard !proof.isHeld else { continue }
        #expect(level(Passthrough.support(on: Terms(host))) == (proof == .accepted(wrote: 1) ? .guest : nil))
        #expect(level(Autoload.support(on: Terms(host))) == nil)
        #expect(level(Manual.support(on: Terms(host))) == nil)
      }
    }
  }

  @Test("of emulate says why it protects nothing")
  func emulateReasons() {
    func reason(_ proof: RegisterProof, ibrsAll: Bool) -> String {
      let host = HostAbilities(subject: .specCtrl, register: proof, hasIBRSAll: ibrsAll, canInterceptMSRs: true)
      guard case .supported(let protection) = Emulate.support(on: Terms(host)) else { return "" }
      return protection.reason
    }
    #expect(reason(.held(wrote: 1), ibrsAll: false).contains("no IBRS_ALL"))
    #expect(reason(.unreadable, ibrsAll: true).contains("cannot be kept on"))
  }

  @Test("of autoload refuses an MSR that may not stand in its list, whatever the host can do")
  func autoloadForbidden() {
    for msr in [MSR.fsBase, .gsBase, .smmMonitorControl, .biosUpdateTrigger, MSR(0x830)] {
      let host = HostAbilities(
        subject: msr, register: .held(wrote: 1), hasIBRSAll: true, canInterceptMSRs: true)
      #expect(level(Autoload.support(on: Terms(host))) == nil, "\(msr)")
    }
  }

  @Test(
    "of adaptive never opens a register that has the guest's mode in it, though it is held",
    arguments: [MSR.efer, .apicBase])
  func adaptiveMode(msr: MSR) {
    let host = HostAbilities(subject: msr, register: .held(wrote: 1), hasIBRSAll: true, canInterceptMSRs: true)
    guard case .supported(let protection) = Adaptive.support(on: Terms(host)) else {
      Issue.record("it runs as emulate")
      return
    }
    #expect(protection.reason.contains("never opened to the guest: it holds the guest's mode"))
    #expect(!Terms(host).mayOpen, "nothing is measured for it")
  }

  @Test("refused, names the register and what became of the value")
  func refusals() {
    let expected: [(RegisterProof, String)] = [
      (.dropped(wrote: 1, readBack: 0), "a guest wrote 0x1, and 0x0 read back"),
      (.unreadable, "KVM does not read it"),
      (.accepted(wrote: 1), "a guest wrote 0x1 without a #GP, and it cannot be read back"),
      (.ignored(wrote: 1), "but so did one that wrote an MSR which no processor has"),
      (.faulted(wrote: 5), "a guest that wrote 0x5 got a #GP"),
      (.moving, "its value changes by itself, so that reading it back proves nothing"),
      (.inconclusive(endedWith: "HLT"), "the guest that tried to write it ended with HLT"),
    ]
    for (proof, words) in expected {
      let host = HostAbilities(subject: .specCtrl, register: proof, hasIBRSAll: true, canInterceptMSRs: true)
      guard case .refused(let reason) = Passthrough.support(on: Terms(host)) else {
        Issue.record("\(proof)")
        continue
      }
      #expect(reason.contains("IA32_SPEC_CTRL (0x48)") && reason.hasSuffix(words), "\(reason)")
      #expect(
        "\(PolicyError.refused(policy: "passthrough", reason: reason))".hasPrefix("policy passthrough cannot run"))
    }
  }

  @Test("errors name the list and the entry")
  func errors() {
    #expect("\(PolicyError.exitStore(index: 2, .specCtrl))" == "entry 2 of the exit-store list, IA32_SPEC_CTRL, failed")
    #expect(
      "\(PolicyError.exitLoad(index: 9, MSREntry(.specCtrl, 16)))"
        == "entry 9 of the exit-load list, IA32_SPEC_CTRL = 0x10, failed")
    #expect(
      "\(PolicyError.entryLoad(index: 1, MSREntry(.specCtrl, 1)))"
        == "VM entry aborted: entry 1 of the entry-load list, IA32_SPEC_CTRL = 0x1, failed")
  }
}
