// emulate as a value: the shadow, the bits that fault, and what the guest is told. No KVM in sight.

import Testing

@testable import Hypervisor

@Suite("The policy emulate")
struct EmulateTests {
  /// A contract that has these features and nothing else.
  private func offer(_ features: [CPUFeature], _ capabilities: ArchCapabilities = []) -> GuestContract {
    var model = CPUIDModel()
    for feature in features { model.set(feature, to: true) }
    return GuestContract(cpuid: model, archCapabilities: capabilities)
  }

  /// The policy when its guest has been told what KVM offers.
  private func policy(offered features: [CPUFeature] = []) -> Emulate {
    var policy = Emulate()
    policy.accept(policy.contract(from: offer(features)))
    return policy
  }

  @Test("reads what was written last, and 0 before that")
  func shadow() {
    var policy = policy()
    #expect(policy.read(.specCtrl) == .value(0))
    for value in [1, 3, 2, 0] as [UInt64] {
      #expect(policy.write(.specCtrl, value) == .accept)
      #expect(policy.read(.specCtrl) == .value(value))
    }
  }

  @Test("keeps the value when a write faults")
  func faultKeepsTheShadow() {
    var policy = policy()
    #expect(policy.write(.specCtrl, 1) == .accept)
    #expect(policy.write(.specCtrl, 1 << 63 | 2) == .fault)
    #expect(policy.read(.specCtrl) == .value(1))
  }

  /// Features that KVM may offer, each with the bits that it makes writable.
  private static let bits: [(CPUFeature, UInt64)] = [
    (.stibp, 1 << 1), (.ssbd, 1 << 2), (.ipredCtrl, 0b11 << 3), (.rrsbaCtrl, 0b11 << 5), (.psfd, 1 << 7),
    (.ddpdU, 1 << 8), (.bhiCtrl, 1 << 10), (.amdIBRS, 0b11), (.amdSTIBP, 1 << 1), (.amdSSBD, 1 << 2),
    (.amdPSFD, 1 << 7),
  ]

  @Test("faults on every bit that CPUID does not offer, and on no other", arguments: bits)
  func reservedBits(feature: CPUFeature, bits: UInt64) {
    // IBRS and STIBP come with SPEC_CTRL, which the policy adds itself.
    let writable = bits | 0b11
    var policy = policy(offered: [feature])
    for bit in 0..<64 as Range<UInt64> {
      let reply: MSRReply = writable >> bit & 1 == 1 ? .accept : .fault
      #expect(policy.write(.specCtrl, 1 << bit) == reply, "\(feature.name), bit \(bit)")
    }
    #expect(policy.write(.specCtrl, writable) == .accept)
    #expect(policy.write(.specCtrl, ~writable) == .fault)
  }

  @Test("lets the guest write IBRS and STIBP alone where CPUID offers nothing, and all bits where it offers all")
  func extremes() {
    var least = policy()
    #expect(least.write(.specCtrl, 0b11) == .accept)
    #expect(least.write(.specCtrl, 0b100) == .fault)
    var most = policy(offered: Self.bits.map(\.0))
    #expect(most.write(.specCtrl, 0x5ff) == .accept)
    #expect(most.write(.specCtrl, 1 << 9) == .fault, "no feature gives bit 9")
    #expect(most.write(.specCtrl, 1 << 11) == .fault)
  }

  @Test("faults on every MSR but its own", arguments: [MSR.predCmd, .flushCmd, .archCapabilities, MSR(0)])
  func otherMSRs(msr: MSR) {
    var policy = policy()
    #expect(policy.read(msr) == .fault)
    #expect(policy.write(msr, 0) == .fault)
    #expect(policy.read(.specCtrl) == .value(0))
  }

  @Test("intercepts its own MSR and leaves IA32_PRED_CMD, whose writes are barriers, to KVM")
  func intercepts() {
    #expect(Emulate().intercepts == [.specCtrl])
    #expect(Emulate(subject: .kernelGSBase).intercepts == [.kernelGSBase])
  }

  @Test("tells the guest SPEC_CTRL, IA32_ARCH_CAPABILITIES and IBRS_ALL on top of what KVM offers")
  func contract() {
    let policy = Emulate()
    let told = policy.contract(from: offer([.ssbd, .bhiCtrl], [.rdclNo, .ssbNo]))
    for feature in [CPUFeature.specCtrl, .archCapabilities, .ssbd, .bhiCtrl] { #expect(told.cpuid.has(feature)) }
    for feature in [CPUFeature.stibp, .psfd, .amdIBRS] { #expect(!told.cpuid.has(feature)) }
    #expect(told.archCapabilities == [.rdclNo, .ssbNo, .ibrsAll])
    #expect(told.cpuid.maximumBasicLeaf >= 7, "or no guest would look")
  }

  @Test("of another MSR tells the guest nothing, and takes every value")
  func otherSubject() {
    var policy = Emulate(subject: .kernelGSBase)
    let given = offer([.ssbd], [.rdclNo])
    #expect(policy.contract(from: given) == given)
    policy.accept(given)
    #expect(policy.write(.kernelGSBase, .max) == .accept)
    #expect(policy.read(.kernelGSBase) == .value(.max))
    #expect(policy.write(.specCtrl, 0) == .fault)
  }
}

@Suite("A policy that intercepts nothing")
struct TransparentPolicyTests {
  @Test("faults on what reaches it all the same, and tells the guest what KVM offers")
  func passthrough() {
    var policy = Passthrough()
    #expect(policy.intercepts.isEmpty)
    #expect(policy.read(.specCtrl) == .fault && policy.write(.specCtrl, 0) == .fault)
    let given = GuestContract(cpuid: CPUIDModel(), archCapabilities: [.rdclNo])
    #expect(policy.contract(from: given) == given)
  }

  @Test("faults on what reaches it all the same, autoload too")
  func autoload() {
    var policy = Autoload()
    #expect(policy.intercepts.isEmpty)
    #expect(policy.read(.specCtrl) == .fault && policy.write(.specCtrl, 0) == .fault)
    #expect(policy.processed == Autoload.Processed())
  }
}
