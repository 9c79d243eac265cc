// shadow where KVM itself uses VMX's mask and shadow ("virtualize IA32_SPEC_CTRL"): the guest's accesses do not exit,
// it reads what it wrote, and the masked bits of the register stay as they are.
// Facts: Intel SDM vol. 3C, 25.6.2 (tertiary processor-based controls, bit 7), 26.3; the edit of kvm-intel in kernel/
// (spec_ctrl_mode 2: KVM_GET_MSRS and KVM_SET_MSRS are of the shadow).

/// The policy `shadow` on a host whose KVM uses VMX's mask and shadow of IA32_SPEC_CTRL.
public struct HardwareShadow: Policy {
  public static var name: String { PolicyName.shadow.rawValue }
  public static var mechanism: PolicyMechanism? { .hardware }
  public var subject: MSR { .specCtrl }
  public var intercepts: [MSR] { [] }

  /// The policy; KVM needs to be told nothing.
  public init() {}

  /// The guest is told of SPEC_CTRL, as under the model.
  public func contract(from offer: GuestContract) -> GuestContract {
    var contract = offer
    contract.cpuid.set(.specCtrl, to: true)
    return contract
  }

  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {
    do { try cpu.write(subject, value) } catch { throw .msr(error) }
  }

  /// KVM tells the shadow; nobody tells the VMM what the register holds.
  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    SubjectValue(guest: try cpu.read(subject), register: nil)
  }

  public static func support(on terms: Terms) -> PolicySupport {
    let abilities = terms.abilities
    guard abilities.mechanism(of: .shadow) == .hardware else {
      return .refused("this host's KVM does not use VMX's mask and shadow (kvm-intel with spec_ctrl_mode 2)")
    }
    return .supported(
      abilities.hardwareProtection
        ?? Protection(.guest, "VMX's mask is empty, so that the guest's own writes reach the register"))
  }
}
