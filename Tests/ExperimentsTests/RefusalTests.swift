// A policy that a host cannot honour is refused, with what was seen.

import Experiments
import GuestImages
import Hypervisor
import Testing
import TestSupport

@Suite("A policy that cannot be honoured", .needsKVM)
struct RefusalTests {
  private func refusal(_ policy: PolicyName, _ msr: MSR = .specCtrl, on abilities: HostAbilities? = nil) throws
    -> PolicyError?
  {
    let experiment = try Experiment(.ibrs, entry: .none, policy: policy, msr: msr, iterations: 1, samples: 1)
    let kvm = try KVM()
    do {
      _ = try experiment.run(on: kvm, terms: try abilities.map { Terms($0) } ?? Terms.prove(msr, on: kvm))
      return nil
    } catch let error as PolicyError { return error }
  }

  @Test("is refused on this host exactly where the proof says so, with the value written and the value read back")
  func here() throws {
    for (subject, terms) in try Host.proved().terms {
      for policy in PolicyName.allCases {
        switch policy.support(on: terms) {
        case .supported: #expect(try refusal(policy, subject) == nil)
        case .refused(let reason):
          #expect(try refusal(policy, subject) == .refused(policy: policy.rawValue, reason: reason))
          #expect(reason.contains(terms.abilities.register.text))
        }
      }
    }
  }

  @Test(
    "is refused where a register drops what is written, whatever KVM reports",
    arguments: [PolicyName.passthrough, .autoload])
  func dropped(policy: PolicyName) throws {
    let abilities = HostAbilities(
      subject: .specCtrl, register: .dropped(wrote: 0x1, readBack: 0x20), hasIBRSAll: true, canInterceptMSRs: true)
    let text = "\(try #require(try refusal(policy, on: abilities)))"
    #expect(text.hasPrefix("policy \(policy.rawValue) cannot run on this host: "))
    for part in ["IA32_SPEC_CTRL", "0x48", "0x1", "0x20"] { #expect(text.contains(part)) }
  }

  @Test("is refused where KVM hands over no MSR access")
  func noIntercepts() throws {
    let abilities = HostAbilities(
      subject: .specCtrl, register: .held(wrote: 1), hasIBRSAll: true, canInterceptMSRs: false)
    #expect("\(try #require(try refusal(.emulate, on: abilities)))".contains("KVM_CAP_X86_USER_SPACE_MSR"))
  }

  @Test("is refused for an MSR that the hardware's lists may not hold, with the rule")
  func forbidden() throws {
    let abilities = HostAbilities(
      subject: .gsBase, register: .held(wrote: 1), hasIBRSAll: false, canInterceptMSRs: true)
    #expect("\(try #require(try refusal(.autoload, .gsBase, on: abilities)))".contains("loaded from the VMCS"))
  }
}
