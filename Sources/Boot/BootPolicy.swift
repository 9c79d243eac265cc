// Wraps a policy for foreign kernels, so that barriers which KVM cannot serve may be dropped.

import Hypervisor

/// A policy that can also drop the guest's writes of IA32_PRED_CMD.
///
/// CPUID announces SPEC_CTRL and IBPB with one bit, so a guest that sees SPEC_CTRL expects IBPB as well. On a host
/// without IBPB its barriers would fault. They are dropped only if the user asks for it.
struct BootPolicy<Base: Policy & ~Copyable>: Policy, ~Copyable {
  static var name: String { Base.name }
  static var mechanism: PolicyMechanism? { Base.mechanism }

  private var base: Base
  private let dropsBarriers: Bool
  /// The number of dropped barriers.
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

  // MARK: Forwarded to the policy

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
