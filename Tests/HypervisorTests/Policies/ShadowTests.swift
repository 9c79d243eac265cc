// shadow as a value: what the guest reads, what the register is to hold, and what faults. No KVM in sight.

import Testing

@testable import Hypervisor

@Suite("The policy shadow")
struct ShadowTests {
  /// The policy when its guest has been told these features.
  private func policy(_ features: [CPUFeature] = [], mask: UInt64 = 1, keeping bits: UInt64? = nil) -> Shadow {
    var policy = Shadow(mask: mask, keeping: bits)
    var model = CPUIDModel()
    for feature in features { model.set(feature, to: true) }
    policy.accept(policy.contract(from: GuestContract(cpuid: model, archCapabilities: [])))
    policy.kept = (bits ?? 1) & mask
    return policy
  }

  @Test("reads what was written last, masked bits and all")
  func reads() {
    var policy = policy()
    #expect(policy.read(.specCtrl) == .value(0))
    for value in [1, 0, 2, 3] as [UInt64] {
      #expect(policy.write(.specCtrl, value) == .accept)
      #expect(policy.read(.specCtrl) == .value(value))
    }
  }

  @Test(
    "is to have the host's masked bits and the guest's others in the register",
    arguments: [
      // mask, the host's bits, written, the register
      (0b001, 0b001, 0b000, 0b001), (0b001, 0b001, 0b001, 0b001), (0b001, 0b001, 0b110, 0b111),
      (0b001, 0b000, 0b111, 0b110), (0b101, 0b100, 0b011, 0b110), (0b000, 0b111, 0b010, 0b010),
      (0b111, 0b010, 0b101, 0b010),
    ] as [(UInt64, UInt64, UInt64, UInt64)])
  func register(mask: UInt64, host: UInt64, written: UInt64, register: UInt64) {
    var policy = policy([.ssbd], mask: mask, keeping: host)
    #expect(policy.write(.specCtrl, written) == .accept)
    #expect(policy.next == register)
    #expect(policy.registerValue(forWritten: written) == register)
    #expect(policy.read(.specCtrl) == .value(written))
  }

  @Test("faults on bits that CPUID does not offer, and keeps everything as it was")
  func reserved() {
    var policy = policy()
    #expect(policy.write(.specCtrl, 0b10) == .accept)
    for bit in 2..<64 as Range<UInt64> { #expect(policy.write(.specCtrl, 1 << bit) == .fault) }
    #expect(policy.read(.specCtrl) == .value(0b10))
    #expect(policy.next == 0b11)
    var more = self.policy([.ssbd, .bhiCtrl])
    #expect(more.write(.specCtrl, 1 << 2 | 1 << 10) == .accept)
    #expect(more.write(.specCtrl, 1 << 9) == .fault)
  }

  @Test("intercepts its own MSR alone: a barrier of IA32_PRED_CMD stays with KVM")
  func intercepts() {
    var policy = policy()
    #expect(policy.intercepts == [.specCtrl])
    for msr in [MSR.predCmd, .flushCmd, .archCapabilities] {
      #expect(policy.read(msr) == .fault && policy.write(msr, 1) == .fault)
    }
  }

  @Test("tells the guest SPEC_CTRL, and IBRS_ALL only where KVM does")
  func contract() {
    let policy = Shadow()
    for capabilities in [[], .ibrsAll] as [ArchCapabilities] {
      let told = policy.contract(from: GuestContract(cpuid: CPUIDModel(), archCapabilities: capabilities))
      #expect(told.cpuid.has(.specCtrl))
      #expect(told.archCapabilities == capabilities)
    }
    var other = Shadow(subject: .kernelGSBase)
    let offer = GuestContract(cpuid: CPUIDModel(), archCapabilities: [])
    #expect(other.contract(from: offer) == offer)
    other.accept(offer)
    #expect(other.write(.kernelGSBase, .max) == .accept, "no bit of another MSR is reserved")
  }
}

@Suite("The policy manual")
struct ManualTests {
  @Test("intercepts nothing, faults on what reaches it all the same, and has done nothing yet")
  func transparent() {
    var policy = Manual()
    #expect(policy.intercepts.isEmpty)
    #expect(policy.read(.specCtrl) == .fault && policy.write(.specCtrl, 0) == .fault)
    #expect(policy.tally.map(\.name) == ["reads", "writes", "skippedWrites"])
    #expect(policy.tally.allSatisfy { $0.count == 0 })
  }
}
