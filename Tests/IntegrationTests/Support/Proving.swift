// Machines for tests of what machines do: all that their policies need to know of this host is proved first.

import Experiments
import Hypervisor

extension Machine where P: ~Copyable {
  /// Makes a machine after proving what its policy needs to know of this host.
  init(
    on kvm: borrowing KVM, policy: consuming P, acceptingNoProtection: Bool = false,
    contract: GuestContract? = nil
  ) throws {
    let terms = try Terms.prove(for: policy, on: kvm)
    try self.init(
      on: kvm, policy: policy, terms: terms.acceptingNoProtection(acceptingNoProtection), contract: contract)
  }
}
