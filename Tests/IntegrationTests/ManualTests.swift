// manual on KVM: whose value the register holds when, and how often it is read, written and left alone.

import CKVM
import GuestImages
import Testing

@testable import Experiments
@testable import Hypervisor

@Suite("The policy manual, on KVM", .needsKVM, .holds(.kernelGSBase))
struct ManualGuestTests {
  private static let msr = MSR.kernelGSBase
  private static let hosts: UInt64 = 0x1000

  /// A machine whose guest makes these steps; the host's value is `hosts`.
  private func machine(_ guest: MSRGuest) throws -> Machine<HostValue> {
    var machine = try Machine(on: try KVM(), policy: HostValue(Self.hosts))
    try machine.load(guest.program())
    return machine
  }

  @Test("holds the guest's value while it runs and the host's otherwise, and writes only what differs")
  func ownership() throws {
    let guest = MSRGuest([
      .read(Self.msr), .pause, .write(Self.msr, 0x2000), .pause, .read(Self.msr), .pause,
      .write(Self.msr, Self.hosts), .pause, .read(Self.msr),
    ])
    var machine = try machine(guest)
    var devices = Devices()
    // After each run: reads, writes, skipped writes. The host's and the guest's value are the same at first.
    let expected: [(guest: UInt64, reads: UInt64, writes: UInt64, skipped: UInt64)] = [
      (0x1000, 1, 0, 2),
      // The guest writes its own: the host's comes back at the exit.
      (0x2000, 2, 1, 3),
      // In again and out again: both are written.
      (0x2000, 3, 3, 3),
      // The guest's comes in; the guest then writes the host's value itself, so nothing has to go out.
      (0x1000, 4, 4, 4),
      (0x1000, 5, 4, 6),
    ]
    for step in expected {
      let end = try machine.run(&devices)
      #expect(end == .finished)
      let value = try machine.subjectValue()
      #expect(value == SubjectValue(guest: step.guest, register: Self.hosts))
      #expect(machine.currentPolicy.manual.done == .init(reads: step.reads, writes: step.writes, skipped: step.skipped))
    }
    let outcomes = try guest.outcomes(in: machine.vm)
    #expect(
      outcomes == [.read(0x1000), .written, .read(0x2000), .written, .read(0x1000)])
    #expect(machine.counters.byMSR.isEmpty)
  }

  @Test("takes no write at all for a guest that never touches the register")
  func quiet() throws {
    var machine = try Machine(on: try KVM(), policy: Manual(subject: Self.msr))
    try machine.load(GuestImage(Workload(.chatty), entry: .none), iterations: [50])
    var devices = Devices()
    _ = try machine.run(&devices)
    let entries = machine.counters.total + machine.counters.interruptions
    #expect(machine.currentPolicy.done == .init(reads: entries, writes: 0, skipped: 2 * entries))
  }

  @Test("says which MSR KVM does not read")
  func unreadable() throws {
    #expect(throws: PolicyError.msr(.unreadable(TestHost.missingMSR, index: 0))) {
      _ = try Machine(unproved: Manual(subject: TestHost.missingMSR), on: try KVM())
    }
  }
}

extension Manual.Done {
  fileprivate init(reads: UInt64, writes: UInt64, skipped: UInt64) {
    self.init()
    (self.reads, self.writes, skippedWrites) = (reads, writes, skipped)
  }
}

/// `manual`, on a host whose own value is this one.
private struct HostValue: Policy, ~Copyable {
  var manual = Manual(subject: .kernelGSBase)
  let value: UInt64
  var subject: MSR { manual.subject }
  var intercepts: [MSR] { [] }

  init(_ value: UInt64) { self.value = value }

  mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) {
    do { try cpu.write(subject, value) } catch { throw .msr(error) }
    try manual.prepare(&cpu)
  }

  mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) { try manual.adopt(value, &cpu) }

  mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine) throws(PolicyError) {
    try manual.willEnter(&cpu, of: vm)
  }

  mutating func didExit(_ cpu: inout VirtualCPU) throws(PolicyError) { try manual.didExit(&cpu) }

  func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    try manual.subjectValue(in: cpu)
  }

  static func support(on terms: Terms) -> PolicySupport { Manual.support(on: terms) }
}
