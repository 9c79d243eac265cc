// passthrough: the guest owns the register and KVM switches it. Nothing is intercepted or done at an exit.
// KVM on VMX itself intercepts SPEC_CTRL until the guest's first non-zero write (Linux arch/x86/kvm/vmx/vmx.c).

/// The policy `passthrough`.
public struct Passthrough: Policy {
  public static var name: String { PolicyName.passthrough.rawValue }
  public let subject: MSR
  public var intercepts: [MSR] { [] }

  /// A policy whose guest owns this MSR.
  public init(subject: MSR = .specCtrl) { self.subject = subject }

  public mutating func adopt(_ value: UInt64, _ cpu: inout VirtualCPU) throws(PolicyError) {
    do { try cpu.write(subject, value) } catch { throw .msr(error) }
  }

  public func subjectValue(in cpu: borrowing VirtualCPU) throws(MSRAccessError) -> SubjectValue {
    if subject.isCommand { return SubjectValue(guest: nil, register: nil) }
    let value = try cpu.read(subject)
    return SubjectValue(guest: value, register: value)
  }

  public static func support(on terms: Terms) -> PolicySupport {
    let abilities = terms.abilities
    if case .accepted = abilities.register, abilities.subject.isCommand {
      return .supported(
        Protection(.guest, "the guest's own barriers are executed; nothing can be read back to prove their effect"))
    }
    return .ofOwnedRegister(abilities)
  }
}
