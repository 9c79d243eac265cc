// A policy for a guest that was not built for it: the same, and what such a guest needs beside.

import Hypervisor

/// A policy, under which writes of IA32_PRED_CMD that KVM does not serve may be dropped.
///
/// A guest that is told SPEC_CTRL takes IBPB to be there as well, for CPUID has one bit for both; on a host without
/// IBPB its barriers would fault. Dropping them is the user's explicit choice.
struct BootPolicy<Base: Policy & ~Copyable>: Policy, ~Copyable {
  static var name: String { Base.name }

  private var base: Base
  private let dropsBarriers: Bool
  /// The barriers that were dropped.
  private(set) var droppedBarriers: UInt64 = 0

  init(_ base: consuming Base, droppingBarriers: Bool) {
    self.base = base
    dropsBarriers = droppingBarriers
  }

  mutating func write(_ msr: MSR, _ value: UInt64) -> MSRReply {
    guard dropsBarriers, msr == .predCmd else { return base.write(msr, value) }
    droppedBarriers &+= 1
    return .accept
  }

  var tally: [(name: String, count: UInt64)] { base.tally }

  // MARK: As the policy does

  var subject: MSR { base.subject }
  var intercepts: [MSR] { base.intercepts }
  var changesIntercepts: Bool { base.changesIntercepts }
  var state: [String: UInt64] { base.state }
  var otherRegisters: [MSR] { base.otherRegisters }
  var weighsCosts: Bool { base.weighsCosts }
  mutating func settle(on terms: Terms) throws(PolicyError) { try base.settle(on: terms) }
  func contract(from offer: GuestContract) -> GuestContract { base.contract(from: offer) }
  mutating func accept(_ contract: GuestContract) { base.accept(contract) }
  mutating func prepare(_ cpu: inout VirtualCPU) throws(PolicyError) { try base.prepare(&cpu) }
  mutating func adopt(_ state: [String: UInt64]) { base.adopt(state) }
  mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) { try base.adopt(value, &cpu) }
  mutating func read(_ msr: MSR) -> MSRReply { base.read(msr) }
  mutating func start(_ cpu: borrowing VirtualCPU) throws(PolicyError) { try base.start(cpu) }
  mutating func willEnter(_ cpu: inout VirtualCPU, of vm: borrowing VirtualMachine) throws(PolicyError) {
    try base.willEnter(&cpu, of: vm)
  }
  mutating func didExit(_ cpu: inout VirtualCPU) throws(PolicyError) { try base.didExit(&cpu) }
  func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    try base.subjectValue(in: cpu)
  }
  static func support(on terms: Terms) -> PolicySupport { Base.support(on: terms) }
  func support(on terms: Terms) -> PolicySupport { base.support(on: terms) }
}
