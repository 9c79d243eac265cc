// No policy: for guests that do not need one, and tests of the machine itself.

/// Leaves every register as KVM sets it on a new vCPU, and says nothing about the guest's protection.
package struct NoPolicy: Policy {
  package let subject = MSR.specCtrl
  package var intercepts: [MSR] { [] }

  package init() {}

  package mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {}

  package func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    SubjectValue(guest: 0, register: nil)
  }

  package static func support(on terms: Terms) -> PolicySupport {
    .supported(Protection(.none, "no policy"))
  }
}

extension Machine where P == NoPolicy {
  /// Makes a machine without a policy.
  package init(on kvm: borrowing KVM, contract: GuestContract? = nil) throws {
    try self.init(unproved: NoPolicy(), on: kvm, contract: contract)
  }
}
