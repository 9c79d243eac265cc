// autoload where KVM itself uses VMX's lists: the processor takes them at every VM entry and VM exit, and the VMM does
// nothing around KVM_RUN.
// Facts: Intel SDM vol. 3C, 27.4, 28.4 and 28.6; the edit of kvm-intel in kernel/ (spec_ctrl_mode 1).

/// The policy `autoload` on a host whose KVM switches IA32_SPEC_CTRL by VMX's MSR lists.
public struct HardwareLists: Policy {
  public static var name: String { PolicyName.autoload.rawValue }
  public static var mechanism: PolicyMechanism? { .hardware }
  public var subject: MSR { .specCtrl }
  public var intercepts: [MSR] { [] }

  /// The policy; KVM needs to be told nothing.
  public init() {}

  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {
    do { try cpu.write(subject, value) } catch { throw .msr(error) }
  }

  /// Between two entries KVM keeps the guest's value, which the lists load and store.
  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    let value = try cpu.read(subject)
    return SubjectValue(guest: value, register: value)
  }

  public static func support(on terms: Terms) -> PolicySupport {
    guard terms.abilities.mechanism(of: .autoload) == .hardware else {
      return .refused("this host's KVM does not switch IA32_SPEC_CTRL by VMX's lists (kvm-intel with spec_ctrl_mode 1)")
    }
    return .supported(
      Protection(
        .guest,
        "the guest's own writes reach the register, which VMX's lists switch at each entry and exit (hardware: "
          + "spec_ctrl_mode 1)"))
  }
}
