// adaptive on real guests: when it opens and closes, that no value is lost, and what it measures.

import Experiments
import CKVM
import GuestImages
import HandOver
import Testing

@testable import Hypervisor

@Suite("The policy adaptive, on KVM", .needsKVM, .needs(.userSpaceMSR), .needs(.msrFilter))
struct AdaptiveGuestTests {
  private static let msr = MSR.kernelGSBase
  /// Opens after three accesses, closes after five other exits.
  private static let costs = AdaptiveCosts(access: 4, exit: 3, price: 10, wholeExit: 1)

  private func machine(_ guest: MSRGuest, costs: AdaptiveCosts? = costs) throws -> Machine<Adaptive> {
    var machine = try Machine(unproved: Adaptive(subject: Self.msr, costs: costs), on: try KVM())
    try machine.load(guest.program())
    return machine
  }

  @Test(
    "hands every value over, whatever the guest does and whenever it switches", .holds(.kernelGSBase, .sysenterESP),
    arguments: [MSR.kernelGSBase, .sysenterESP], [1, 2] as [UInt64])
  func handOver(msr: MSR, seed: UInt64) throws {
    let outcome = try HandOver.check(msr, sequences: 15, seed: seed)
    #expect(outcome.failures.isEmpty, "\(outcome.failures.first ?? "")")
    #expect(outcome.opens > 20 && outcome.closes > 20, "it must really have switched")
  }

  @Test("opens at the access that makes up the price: the next ones make no exit", .holds(.kernelGSBase))
  func opens() throws {
    let guest = MSRGuest(
      [
        .write(Self.msr, 1), .read(Self.msr), .write(Self.msr, 2), .read(Self.msr), .write(Self.msr, 3),
        .read(Self.msr),
      ])
    var machine = try machine(guest)
    var devices = Devices()
    #expect(try machine.run(&devices) == .finished)
    #expect(try guest.outcomes(in: machine.vm) == [.written, .read(1), .written, .read(2), .written, .read(3)])
    #expect(machine.counters.byMSR[Self.msr]?.writes == 2 && machine.counters.byMSR[Self.msr]?.reads == 1)
    #expect(machine.currentPolicy.isOpen)
    #expect(try machine.subjectValue() == SubjectValue(guest: 3, register: 3))
  }

  @Test("closes when the guest is quiet, keeps its value, and gives the register its own back", .holds(.kernelGSBase))
  func closes() throws {
    let guest = MSRGuest(
      [.write(Self.msr, 1), .write(Self.msr, 2), .write(Self.msr, 3), .write(Self.msr, 0x77)]
        + Array(repeating: .pause, count: 5) + [.read(Self.msr)])
    var machine = try machine(guest)
    let resting = try machine.vcpu.read(Self.msr)
    for number in 1...5 {
      var devices = Devices()
      #expect(try machine.run(&devices) == .finished)
      // The entry after the fifth exit closes it.
      #expect(machine.currentPolicy.isOpen, "\(number)")
    }
    var devices = Devices()
    #expect(try machine.run(&devices) == .finished)
    #expect(!machine.currentPolicy.isOpen)
    #expect(try guest.outcomes(in: machine.vm).last == .read(0x77))
    #expect(try machine.subjectValue() == SubjectValue(guest: 0x77, register: resting))
    #expect(machine.currentPolicy.tally.map(\.count) == [1, 1, 0])
  }

  @Test(
    "keeps the register closed to a value that it does not take, and opens with the next that it takes",
    .holds(.kernelGSBase))
  func untaken() throws {
    // The register refuses what is no canonical address; the closed state takes every value of this MSR.
    let guest = MSRGuest(
      Array(repeating: .write(Self.msr, TestHost.nonCanonical), count: 3) + [.read(Self.msr)]
        + Array(repeating: .write(Self.msr, 5), count: 4) + [.read(Self.msr)])
    var machine = try machine(guest)
    var devices = Devices()
    #expect(try machine.run(&devices) == .finished)
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(outcomes[3] == .read(TestHost.nonCanonical) && outcomes.last == .read(5))
    #expect(machine.currentPolicy.tally.map(\.count) == [1, 0, 1])
  }

  @Test("without costs is emulate: it never opens")
  func never() throws {
    let guest = MSRGuest(Array(repeating: .write(Self.msr, 5), count: 60))
    var machine = try machine(guest, costs: nil)
    var devices = Devices()
    #expect(try machine.run(&devices) == .finished)
    #expect(machine.counters.byMSR[Self.msr]?.writes == 60)
  }

  @Test("starts a guest that ran elsewhere closed, with its value", .holds(.kernelGSBase))
  func adopts() throws {
    let guest = MSRGuest([.read(Self.msr), .read(Self.msr), .read(Self.msr), .read(Self.msr)])
    var machine = try Machine(
      unproved: Adopting(adaptive: Adaptive(subject: Self.msr, costs: Self.costs)), on: try KVM())
    try machine.load(guest.program())
    var devices = Devices()
    #expect(try machine.run(&devices) == .finished)
    #expect(try guest.outcomes(in: machine.vm) == Array(repeating: .read(0x1234), count: 4))
    #expect(machine.counters.byMSR[Self.msr]?.reads == 3 && machine.currentPolicy.adaptive.isOpen)
  }

  @Test(
    "measures costs that make sense: a trapped access costs more than nothing and less than two exits",
    .holds(.kernelGSBase))
  func measured() throws {
    let kvm = try KVM()
    let terms = try Terms.prove(Self.msr, on: kvm)
    #expect(terms.adaptiveCosts == nil)
    let measured = try terms.measured(for: .adaptive, on: kvm)
    let costs = try #require(measured.adaptiveCosts)
    #expect(costs.access > 0 && costs.access < 2 * costs.wholeExit, "\(costs)")
    #expect(costs.exit < costs.wholeExit && costs.price > 0)
    #expect(try measured.measured(for: .adaptive, on: kvm).adaptiveCosts == costs, "once is enough")
    #expect(try terms.measured(for: .emulate, on: kvm) == terms, "no other policy needs them")
  }
}

/// adaptive that takes over a guest before it first runs.
private struct Adopting: Policy {
  var adaptive: Adaptive
  var subject: MSR { adaptive.subject }
  var intercepts: [MSR] { adaptive.intercepts }
  mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    try adaptive.prepare(&cpu)
    try adaptive.adopt(0x1234, &cpu)
  }
  mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {}
  mutating func read(_ msr: MSR) -> MSRReply { adaptive.read(msr) }
  mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply { adaptive.write(msr, value) }
  mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine) throws(PolicyError) {
    try adaptive.willEnter(&cpu, of: vm)
  }
  func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    try adaptive.subjectValue(in: cpu)
  }
  static func support(on terms: Terms) -> PolicySupport { .refused("a test's own") }
}
