// autoload on real vCPUs: the lists around every entry, on MSRs that this host proves to hold.

import CKVM
import GuestImages
import Hypervisor
import Testing

@testable import Experiments

@Suite("The policy autoload", .needsKVM, .holds(.kernelGSBase, .sysenterESP))
struct AutoloadTests {
  private static let msr = MSR.kernelGSBase

  /// A machine under these lists at the start of a guest that makes these accesses.
  private func machine(_ lists: AutoloadLists, _ guest: MSRGuest) throws -> Machine<Autoload> {
    var machine = try Machine(on: try KVM(), policy: Autoload(subject: Self.msr, lists: lists))
    try machine.load(guest.program())
    return machine
  }

  /// The error that the policy ends a run with.
  private func failure(of lists: AutoloadLists) throws -> PolicyError? {
    var machine = try machine(lists, MSRGuest([.read(Self.msr)]))
    var devices = Devices()
    do throws(RunError) {
      let end = try machine.run(&devices)
      Issue.record("the run did not fail: \(end)")
    } catch {
      if case .policy(let error) = error { return error }
      throw error
    }
    return nil
  }

  /// Reads the vCPU's register whenever the guest has stopped.
  private struct HostView: ExitObserver {
    var values: [UInt64] = []

    mutating func willAnswer(_ exit: Exit, of cpu: borrowing VirtualCPU) {
      if let value = try? cpu.read(AutoloadTests.msr) { values.append(value) }
    }
  }

  @Test("loads the guest's values before the guest runs, in the list's order: the later entry wins")
  func order() throws {
    let guest = MSRGuest([.read(Self.msr), .read(.sysenterESP)])
    let lists = try AutoloadLists(
      entryLoad: [MSREntry(Self.msr, 1), MSREntry(.sysenterESP, 7), MSREntry(Self.msr, 2)], exitStore: [], exitLoad: [])
    var machine = try machine(lists, guest)
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.read(2), .read(7)])
  }

  @Test("keeps the guest's value across exits and shows the host its own after each of them")
  func guestAndHost() throws {
    let guest = MSRGuest([
      .read(Self.msr), .write(Self.msr, 0x1111), .pause, .read(Self.msr), .pause, .write(Self.msr, 0x2222), .pause,
      .read(Self.msr),
    ])
    let lists = try AutoloadLists(
      entryLoad: [MSREntry(Self.msr, 0xa)], exitStore: [Self.msr], exitLoad: [MSREntry(Self.msr, 0xb)])
    var machine = try machine(lists, guest)
    var devices = Devices()
    var host = HostView()
    for value in [0x1111, 0x1111, 0x2222, 0x2222] as [UInt64] {
      let end = try machine.run(&devices, observer: &host, control: RunControl(timeLimit: .seconds(30)))
      #expect(end == .finished)
      #expect(machine.currentPolicy.guestValue(of: Self.msr) == value)
      let subject = try machine.subjectValue()
      #expect(subject == SubjectValue(guest: value, register: 0xb))
    }
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.read(0xa), .written, .read(0x1111), .written, .read(0x2222)])
    #expect(host.values == [0xb, 0xb, 0xb, 0xb])
  }

  @Test("starts guest and host with what the vCPU has, when it is given MSRs alone")
  func registers() throws {
    let guest = MSRGuest([.write(Self.msr, 5), .pause, .read(Self.msr)])
    var machine = try Machine(on: try KVM(), policy: Autoload(subject: Self.msr, listing: [Self.msr, .sysenterESP]))
    try machine.load(guest.program())
    let before = try machine.vcpu.read(Self.msr)
    var devices = Devices()
    for _ in 0..<2 {
      let end = try machine.run(&devices)
      #expect(end == .finished)
    }
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes == [.written, .read(5)])
    let after = try machine.vcpu.read(Self.msr)
    #expect(after == before)
  }

  @Test("processes each list once for every entry and exit, whether anything has changed or not")
  func counts() throws {
    let outs = 25
    let lists = try AutoloadLists(
      entryLoad: [MSREntry(Self.msr, 1)], exitStore: [Self.msr], exitLoad: [MSREntry(Self.msr, 0)])
    var machine = try Machine(on: try KVM(), policy: Autoload(subject: Self.msr, lists: lists))
    try machine.load(
      RealMode.program { asm in
        for _ in 0..<outs { asm.out(0x42, .al) }
        asm.hlt()
      })
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(machine.counters.total == UInt64(outs + 1))
    let uses = machine.counters.total + machine.counters.interruptions
    let processed = machine.currentPolicy.processed
    #expect([processed.entryLoads, processed.exitStores, processed.exitLoads] == [uses, uses, uses])
  }

  /// Where a bad entry stands, counted from 1: in each of the pieces that KVM takes the list in, and at their ends.
  private static let places = [1, 2, 255, 256, 300, 511, 512]

  @Test("aborts the entry at a value that the register cannot hold, and names it by its number", arguments: places)
  func failingEntryLoad(place: Int) throws {
    var entries = Array(repeating: MSREntry(.sysenterESP, 1), count: 512)
    entries[place - 1] = MSREntry(Self.msr, TestHost.nonCanonical)
    let error = try failure(of: AutoloadLists(entryLoad: entries, exitStore: [], exitLoad: []))
    #expect(error == .entryLoad(index: place, entries[place - 1]))
  }

  @Test("ends the run at an exit-load entry that fails, and names it", arguments: places)
  func failingExitLoad(place: Int) throws {
    var entries = Array(repeating: MSREntry(.sysenterESP, 1), count: 512)
    entries[place - 1] = MSREntry(Self.msr, TestHost.nonCanonical)
    let error = try failure(of: AutoloadLists(entryLoad: [], exitStore: [], exitLoad: entries))
    #expect(error == .exitLoad(index: place, entries[place - 1]))
  }

  @Test("ends the run at an exit-store entry that fails, and names it", .missingMSRIsRefused, arguments: places)
  func failingExitStore(place: Int) throws {
    var msrs = Array(repeating: MSR.sysenterESP, count: 512)
    msrs[place - 1] = TestHost.missingMSR
    let error = try failure(of: AutoloadLists(entryLoad: [], exitStore: msrs, exitLoad: []))
    #expect(error == .exitStore(index: place, TestHost.missingMSR))
  }

  @Test("does not let the guest run when the entry is aborted")
  func abortedEntry() throws {
    let guest = MSRGuest([.read(Self.msr)])
    let bad = MSREntry(Self.msr, TestHost.nonCanonical)
    var machine = try machine(AutoloadLists(entryLoad: [bad], exitStore: [], exitLoad: []), guest)
    var devices = Devices()
    #expect(throws: RunError.self) { try machine.run(&devices) }
    #expect(machine.counters.total == 0)
    let processed = machine.currentPolicy.processed
    #expect(processed == Autoload().processed)
    let registers = try machine.vcpu.registers()
    #expect(registers.rip == RealMode.code)
  }

  @Test("starts with what the vCPU has when the guest first runs, not when the machine was made")
  func laterValue() throws {
    let guest = MSRGuest([.read(Self.msr)])
    var machine = try Machine(on: try KVM(), policy: Autoload(subject: Self.msr))
    try machine.load(guest.program())
    try machine.vcpu.write(Self.msr, 0x77)
    let before = try machine.subjectValue()
    #expect(before == SubjectValue(guest: 0x77, register: 0x77))
    var devices = Devices()
    let end = try machine.run(&devices)
    #expect(end == .finished)
    #expect(try guest.outcomes(in: machine.vm) == [.read(0x77)])
    let after = try machine.vcpu.read(Self.msr)
    #expect(after == 0x77)
  }

  /// IA32_EFER.LME.
  private static let longMode: UInt64 = 1 << 8

  @Test(
    "aborts the entry at an IA32_EFER that would change the mode under paging, as a guest's WRMSR faults",
    .holds(.efer))
  func mode() throws {
    for number in [1, 2] {
      var entries = [MSREntry(.efer, StartState.efer), MSREntry(.efer, StartState.efer)]
      entries[number - 1].value ^= Self.longMode
      var machine = try Machine(
        on: try KVM(),
        policy: Autoload(subject: .efer, lists: try AutoloadLists(entryLoad: entries, exitStore: [], exitLoad: [])))
      try machine.loadLong { asm in asm.hlt() }
      try expect(.entryLoad(index: number, entries[number - 1]), of: &machine)
      let efer = try machine.vcpu.specialRegisters().efer
      #expect(efer & Self.longMode != 0, "the vCPU's mode is as it was")
    }
  }

  /// Runs a machine whose policy is to fail with this error.
  private func expect(_ failure: PolicyError, of machine: inout Machine<Autoload>) throws(RunError) {
    var devices = Devices()
    do throws(RunError) {
      let end = try machine.run(&devices)
      Issue.record("it ended: \(end)")
    } catch {
      guard case .policy(let seen) = error else { throw error }
      #expect(seen == failure)
    }
  }

  @Test("ends the run at an exit-load entry that would change the mode under paging, and names it", .holds(.efer))
  func modeAtExit() throws {
    let bad = MSREntry(.efer, StartState.efer ^ Self.longMode)
    var machine = try Machine(
      on: try KVM(),
      policy: Autoload(subject: .efer, lists: try AutoloadLists(entryLoad: [], exitStore: [], exitLoad: [bad])))
    try machine.loadLong { asm in asm.hlt() }
    try expect(.exitLoad(index: 1, bad), of: &machine)
  }

  @Test("lets a guest do with IA32_EFER what passthrough and manual let it do, no more and no less", .holds(.efer))
  func modeOfTheGuest() throws {
    func fault<P: Policy & ~Copyable>(_ policy: consuming P) throws -> GuestFault? {
      var machine = try Machine(on: try KVM(), policy: policy)
      let image = try GuestImage(Workload(.ibrs, msr: .efer), entry: .none)
      try machine.load(image, iterations: [1])
      var ports = GuestPorts(for: Workload(.ibrs))
      let end = try machine.run(&ports)
      #expect(end == .finished)
      return try machine.mailbox().fault
    }
    // The guest writes 1, which would end long mode: a #GP by the hardware's rule.
    let faults = [
      try fault(Passthrough(subject: .efer)), try fault(Manual(subject: .efer)), try fault(Autoload(subject: .efer)),
    ]
    #expect(faults.map { $0?.vector } == [13, 13, 13])
    #expect(Set(faults.map { $0?.rip }).count == 1, "at the same instruction")
  }

  @Test("loads nothing that no guest here can write: the machine is not made", .missingMSRIsRefused)
  func unwritable() throws {
    let lists = try AutoloadLists(entryLoad: [MSREntry(TestHost.missingMSR, 0)], exitStore: [], exitLoad: [])
    #expect {
      _ = try Machine(on: try KVM(), policy: Autoload(subject: Self.msr, lists: lists))
    } throws: { error in
      guard case PolicyError.refused(policy: "autoload", let reason) = error else { return false }
      return reason.contains(TestHost.missingMSR.hex)
    }
  }

  @Test("refuses an MSR that may not stand in the lists, when the machine is made")
  func forbidden() throws {
    let kvm = try KVM()
    do {
      _ = try Machine(unproved: Autoload(subject: .gsBase), on: kvm)
      Issue.record("the machine was made")
    } catch let error as PolicyError {
      guard case .list(.forbidden(.entryLoad, index: 1, .gsBase, _)) = error else { throw error }
    }
  }
}
