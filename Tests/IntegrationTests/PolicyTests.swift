// What policies do to real guests: emulate's shadow, and who is refused where the register is not there.

import CKVM
import GuestImages
import Hypervisor
import Testing

@testable import Experiments

@Suite("A policy on this host", .needsKVM)
struct PolicyTests {
  @Test("is refused or not as the register's proof says, with what was written and what read back")
  func support() throws {
    let kvm = try KVM()
    for msr in [MSR.specCtrl, .kernelGSBase, TestHost.missingMSR] {
      let proof = try RegisterProof.prove(msr, on: kvm)
      let abilities = try HostAbilities.prove(msr, on: kvm)
      #expect(abilities.register == proof, "the proof can be repeated")
      for support in [Passthrough.support(on: Terms(abilities)), Autoload.support(on: Terms(abilities))] {
        switch (support, proof) {
        case (.supported, .held): break
        case (.refused(let reason), .dropped(let wrote, let readBack)):
          #expect(
            reason.contains("wrote \(wrote.hex), and \(readBack.hex) read back"))
          #expect(reason.contains("\(msr) (\(msr.hex))"))
        case (.refused(let reason), .faulted), (.refused(let reason), .unreadable):
          #expect(reason.contains(proof.text))
        default: Issue.record("\(msr): \(proof), and \(support)")
        }
      }
    }
  }

  @Test(
    "leaves the register that a KVM without SPEC_CTRL claims to write as it is",
    .enabled(if: TestHost.vendor == .kvmPVM))
  func dropped() throws {
    guard case .dropped(let wrote, let readBack) = TestHost.proof(of: .specCtrl) else { return }
    #expect(wrote == 1 && readBack == 0)
  }
}

@Suite("The policy emulate, on KVM", .needsKVM, .needs(.userSpaceMSR), .needs(.msrFilter))
struct EmulateGuestTests {
  @Test("takes exactly two writes for each kernel entry of the workload ibrs", arguments: [[1], [100], [7, 1, 250]])
  func twoWrites(samples: [UInt32]) throws {
    let kvm = try KVM()
    let entry = try EntryProof.proveBest(of: Entry.ringSwitching, on: kvm).entry
    var machine = try Machine(on: kvm, policy: Emulate(), acceptingNoProtection: true)
    try machine.load(GuestImage(Workload(.ibrs), entry: entry), iterations: samples)
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let iterations = UInt64(samples.reduce(0, +))
    #expect(machine.counters.byMSR.keys.elementsEqual([.specCtrl]))
    #expect(machine.counters.byMSR[.specCtrl]?.writes == 2 * iterations)
    #expect(machine.counters.byMSR[.specCtrl]?.reads == 0)
    #expect(machine.counters.byKind == [.writeMSR: 2 * iterations, .portOut: 1])
    let mailbox = try machine.mailbox()
    #expect(mailbox.state == .done && mailbox.kernelEntries == iterations)
    let value = try machine.subjectValue()
    #expect(value.guest == 0, "IBRS is off again at the end")
  }

  @Test("shows the guest its shadow, and faults on a reserved bit in the guest")
  func semantics() throws {
    let guest = MSRGuest([
      .read(.specCtrl), .write(.specCtrl, 1), .read(.specCtrl), .write(.specCtrl, 1 << 63), .read(.specCtrl),
      .write(.specCtrl, 1 << 9), .write(.specCtrl, 3), .read(.specCtrl), .write(.specCtrl, 0), .read(.specCtrl),
    ])
    var machine = try Machine(on: try KVM(), policy: Emulate(), acceptingNoProtection: true)
    let before = try? machine.vcpu.read(.specCtrl)
    try machine.load(guest.program())
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(
      outcomes == [
        .read(0), .written, .read(1), .fault, .read(1), .fault, .written, .read(3), .written, .read(0),
      ])
    #expect(machine.counters.byMSR[.specCtrl]?.writes == 5)
    #expect(machine.counters.byMSR[.specCtrl]?.reads == 5)
    let after = try? machine.vcpu.read(.specCtrl)
    #expect(after == before, "the register itself is untouched")
  }

  @Test("emulates any MSR in the place of SPEC_CTRL, and leaves its register alone", .holds(.kernelGSBase))
  func otherSubject() throws {
    let guest = MSRGuest([.write(.kernelGSBase, 0x1234), .read(.kernelGSBase), .read(.sysenterESP)])
    var machine = try Machine(on: try KVM(), policy: Emulate(subject: .kernelGSBase))
    try machine.load(guest.program())
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .read(0x1234), .read(0)])
    let value = try machine.subjectValue()
    #expect(value == SubjectValue(guest: 0x1234, register: 0))
    #expect(machine.counters.byMSR.keys.elementsEqual([.kernelGSBase]))
  }

  @Test("does not intercept IA32_PRED_CMD")
  func predCmd() throws {
    let guest = MSRGuest([.write(.predCmd, 1)])
    var machine = try Machine(on: try KVM(), policy: Emulate(), acceptingNoProtection: true)
    try machine.load(guest.program())
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(machine.counters.byMSR.isEmpty)
  }
}

@Suite("The policy passthrough, on KVM", .needsKVM)
struct PassthroughGuestTests {
  @Test("costs no exit, and leaves what the guest wrote in the register", .holds(.kernelGSBase))
  func noExit() throws {
    let guest = MSRGuest([.write(.kernelGSBase, 0x4321), .read(.kernelGSBase)])
    var machine = try Machine(on: try KVM(), policy: Passthrough(subject: .kernelGSBase))
    try machine.load(guest.program())
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(machine.counters.byKind == [.halt: 1])
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .read(0x4321)])
    let value = try machine.subjectValue()
    #expect(value == SubjectValue(guest: 0x4321, register: 0x4321))
  }
}
