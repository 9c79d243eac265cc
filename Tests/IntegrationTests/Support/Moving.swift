// A guest that goes on in another machine: the state and the pages of one, given to the other.

import Experiments
import Testing

@testable import Hypervisor

extension MachineState {
  /// The same state with something else in its place.
  func with(
    contract: GuestContract? = nil, cpu: VirtualCPUState? = nil, memory: [GuestPhysicalRange]? = nil,
    subjectValue: UInt64? = nil
  ) -> MachineState {
    MachineState(
      requestedContract: requestedContract, contract: contract ?? self.contract, cpu: cpu ?? self.cpu,
      subject: subject,
      subjectValue: subjectValue ?? self.subjectValue, policyState: policyState, clock: clock,
      memory: memory ?? self.memory,
      counters: counters)
  }
}

/// Makes another machine under a policy that goes on with a state and pages.
func machine<P: Policy & ~Copyable>(
  from state: MachineState, _ pages: [GuestPage], under policy: consuming P
) throws -> Machine<P> {
  var machine = try Machine(on: try KVM(), policy: policy, contract: state.requestedContract)
  try machine.restore(state, pages)
  return machine
}

/// Why another machine does not take a state, nil when it does.
func refusal(of state: MachineState) throws -> VirtualCPUStateError? {
  do { _ = try machine(from: state, [], under: Passthrough(subject: state.subject)) } catch let error
    as VirtualCPUStateError
  {
    return error
  }
  return nil
}
