// What a host offers: as read from its KVM, and as it goes over a wire or into a file.

import Experiments
import FoundationEssentials
import Hypervisor
import Migration
import TestSupport
import Testing

@Suite("What a host offers")
struct HostOfferTests {
  @Test("an offer reads back as it was written", arguments: HostClass.allCases)
  func roundTrip(host: HostClass) throws {
    var offer = host.offer
    offer.abilities = HostAbilities(
      subject: .specCtrl, register: .inconclusive(endedWith: "HLT"), hasIBRSAll: true, canInterceptMSRs: false)
    let data = try JSONEncoder().encode(offer)
    #expect(data.count < 1000)
    #expect(try JSONDecoder().decode(HostOffer.self, from: data) == offer)
  }

  @Test(
    "a word that is no register of CPUID is refused",
    arguments: ["7.0", "7.0.edi", "7.0.0.edx", "x.0.edx", "+7.0.edx", "07.0.edx", "100000000.0.eax", ""])
  func malformedWords(key: String) {
    #expect(CPUIDWord(key: key) == nil)
    #expect(throws: DecodingError.self) {
      _ = try JSONDecoder().decode(FeatureWords.self, from: Data("{\"\(key)\": 1}".utf8))
    }
  }

  @Test("each word's key reads back", arguments: CPUIDWord.all)
  func keys(word: CPUIDWord) { #expect(CPUIDWord(key: word.key) == word) }

  @Test("the features of a CPUID are in its words, and the words make a CPUID that has them", .needsKVM)
  func words() throws {
    let model = try KVM().supportedCPUID()
    let words = FeatureWords(model)
    for feature in model.features {
      #expect(words.has(feature), "\(feature)")
      #expect(words.model.has(feature), "\(feature)")
    }
    #expect(FeatureWords(words.model) == words)
  }

  @Test("a guest of this host may go on on this host, under every policy that it can run", .needsKVM)
  func reflexive() throws {
    let kvm = try KVM()
    let offer = try HostOffer.prove(on: kvm)
    for policy in PolicyName.allCases {
      guard case .supported(let protection) = policy.support(on: Terms(offer.abilities)) else { continue }
      let contract = try policy.make(on: kvm, terms: Terms(offer.abilities), for: ReadBack())
      let guest = MovingGuest(
        contract: contract, policy: policy, subject: .specCtrl, protection: protection.level, inUse: [],
        hasIBPB: offer.hasIBPB)
      let decision = Decision(of: guest, to: offer, under: policy)
      #expect(decision.text == "allowed", "\(policy): \(decision)")
    }
  }
}

/// What a machine's guest is told, read back from KVM.
private struct ReadBack: PolicyVisitor {
  func visit<P: Policy & ~Copyable>(_ policy: consuming P, on kvm: borrowing KVM) throws -> GuestContract {
    let terms = try Terms.prove(for: policy, on: kvm)
    return try Machine(on: kvm, policy: policy, terms: terms.acceptingNoProtection()).contract
  }
}
