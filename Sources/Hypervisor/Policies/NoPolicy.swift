// No policy: for guests that are about something else, and tests of the machine itself.

/// Leaves every register to KVM as it is on a new vCPU, and knows nothing of the guest's safety.
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
  /// Makes a machine for a guest that no policy is about.
  package init(on kvm: borrowing KVM, presenting contract: GuestContract? = nil) throws {
    try self.init(unproved: NoPolicy(), on: kvm, presenting: contract)
  }
}
