// Who carries out the policies `autoload` and `shadow`: hardware has both, where KVM uses it.

/// Whether a policy that names a mechanism of the hardware is carried out by that mechanism.
public enum PolicyMechanism: String, CaseIterable, Sendable {
  /// VMX itself; the VMM does nothing around KVM_RUN and intercepts nothing.
  case hardware
  /// A model of it in the VMM.
  case model

  /// The mechanism of a policy on a host in this mode; nil for a policy that names no mechanism of the hardware.
  public init?(of policy: PolicyName, in mode: SpecCtrlMode?) {
    switch policy {
    case .autoload: self = mode == .lists ? .hardware : .model
    case .shadow: self = mode == .maskAndShadow ? .hardware : .model
    case .passthrough, .emulate, .manual, .adaptive: return nil
    }
  }
}

extension PolicyMechanism {
  /// Who it is, to stand behind a policy's name.
  public var summary: String {
    switch self {
    case .hardware: "by VMX itself"
    case .model: "a model in the VMM"
    }
  }
}

extension PolicyMechanism: Term {}
