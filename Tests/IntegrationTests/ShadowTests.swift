// shadow on KVM: what the guest reads, what the register holds, and how often the VMM writes it.

import GuestImages
import Hypervisor
import Testing

@testable import Experiments

@Suite("The policy shadow, on KVM", .needsKVM, .needs(.userSpaceMSR), .needs(.msrFilter))
struct ShadowGuestTests {
  @Test(
    "keeps the host's bits in the register, shows the guest its own, and writes only what changes",
    .holds(.kernelGSBase))
  func ownership() throws {
    let msr = MSR.kernelGSBase
    let guest = MSRGuest([
      .pause, .write(msr, 0xa1), .read(msr), .pause, .write(msr, 0xa0), .read(msr), .pause, .write(msr, 0x50),
      .write(msr, 0x50), .pause, .read(msr),
    ])
    var machine = try Machine(on: try KVM(), policy: Shadow(subject: msr, mask: 0x0f, keeping: 0x05))
    try machine.load(guest.program())
    var devices = Devices()
    // What the guest reads, what the register holds, and the writes of it so far, at each pause and at the end.
    let expected: [(UInt64, UInt64, UInt64)] = [
      (0, 0x05, 0), (0xa1, 0xa5, 1), (0xa0, 0xa5, 1), (0x50, 0x55, 2), (0x50, 0x55, 2),
    ]
    for (read, register, writes) in expected {
      let end = try machine.run(&devices)
      #expect(end == .finished)
      let value = try machine.subjectValue()
      #expect(value == SubjectValue(guest: read, register: register))
      #expect(machine.currentPolicy.registerWrites == writes)
    }
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .read(0xa1), .written, .read(0xa0), .written, .written, .read(0x50)])
    #expect(machine.counters.byMSR[msr]?.writes == 4 && machine.counters.byMSR[msr]?.reads == 3)
  }

  @Test("keeps IBRS on in SPEC_CTRL whatever the guest writes, and lets STIBP through", .holds(.specCtrl))
  func specCtrl() throws {
    let guest = MSRGuest([
      .write(.specCtrl, 0), .read(.specCtrl), .pause, .write(.specCtrl, 2), .read(.specCtrl), .pause,
      .write(.specCtrl, 1 << 63), .write(.specCtrl, 1), .read(.specCtrl),
    ])
    var machine = try Machine(on: try KVM(), policy: Shadow(), acceptingNoProtection: true)
    try machine.load(guest.program())
    var devices = Devices()
    for (read, register) in [(0, 1), (2, 3), (1, 1)] as [(UInt64, UInt64)] {
      _ = try machine.run(&devices)
      let value = try machine.subjectValue()
      #expect(value == SubjectValue(guest: read, register: register))
    }
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .read(0), .written, .read(2), .fault, .written, .read(1)])
  }

  @Test("faults in the guest on a value that the register does not take, and keeps the last one", .holds(.kernelGSBase))
  func refusedValue() throws {
    let msr = MSR.kernelGSBase
    let guest = MSRGuest([.write(msr, 0x20), .write(msr, TestHost.nonCanonical), .read(msr), .write(msr, 0x40)])
    var machine = try Machine(on: try KVM(), policy: Shadow(subject: msr))
    try machine.load(guest.program())
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .fault, .read(0x20), .written])
    let value = try machine.subjectValue()
    #expect(value == SubjectValue(guest: 0x40, register: 0x40))
    #expect(machine.currentPolicy.registerWrites == 2)
  }

  @Test("is a shadow alone where there is no register to write")
  func noRegister() throws {
    let guest = MSRGuest([.write(.specCtrl, 2), .read(.specCtrl), .write(.specCtrl, 1 << 63), .read(.specCtrl)])
    var machine = try Machine(unproved: Shadow(hasRegister: false), on: try KVM())
    let before = try? machine.vcpu.read(.specCtrl)
    try machine.load(guest.program())
    var devices = Devices()
    _ = try machine.run(&devices)
    let value = try machine.subjectValue()
    #expect(value.guest == 2 && value.register == before)
    #expect(machine.currentPolicy.registerWrites == 0)
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .read(2), .fault, .read(2)])
  }

  @Test("writes the register never for a guest that toggles IBRS", .holds(.kernelGSBase))
  func toggles() throws {
    var machine = try Machine(on: try KVM(), policy: Shadow(subject: .kernelGSBase))
    try machine.load(GuestImage(Workload(.ibrs, msr: .kernelGSBase), entry: .none), iterations: [100])
    var devices = Devices()
    _ = try machine.run(&devices)
    #expect(machine.counters.byMSR[.kernelGSBase]?.writes == 200)
    #expect(machine.currentPolicy.registerWrites == 0)
  }
}

@Suite("The proof of an MSR that only takes writes", .needsKVM)
struct CommandProofTests {
  @Test("is acceptance, a fault, or that this KVM ignores what it does not know; never that it holds a value")
  func proof() throws {
    for msr in [MSR.predCmd, .flushCmd] {
      let proof = try RegisterProof.prove(msr, on: try KVM())
      #expect([.accepted(wrote: 1), .faulted(wrote: 1), .ignored(wrote: 1)].contains(proof), "\(proof)")
      #expect(!proof.isHeld)
      let guest = MSRGuest([.write(msr, 1)])
      var machine = try Machine(on: try KVM())
      try machine.load(guest.program())
      var devices = Devices()
      _ = try machine.run(&devices)
      let outcomes = try guest.outcomes(in: machine.vm)
      #expect(outcomes == [proof == .faulted(wrote: 1) ? .fault : .written])
    }
  }
}
