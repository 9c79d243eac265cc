// How KVM keeps the guest's and the host's values of IA32_SPEC_CTRL apart: the parameter `spec_ctrl_mode` of a
// kvm-intel that was built with the edit in kernel/.
// Facts: Intel SDM vol. 3C, 25.6.2 and 26.3 ("virtualize IA32_SPEC_CTRL"), 27.4, 28.4 and 28.6 (the MSR lists); Linux
// arch/x86/kvm/vmx/vmenter.S (by hand).

/// How kvm-intel switches IA32_SPEC_CTRL between host and guest.
public enum SpecCtrlMode: String, CaseIterable, Sendable {
  /// By instructions around the VM entry, as upstream does.
  case byHand
  /// By VMX's lists: VM-entry load, VM-exit store, VM-exit load.
  case lists
  /// By VMX's mask and shadow ("virtualize IA32_SPEC_CTRL"): the guest's writes do not exit and do not change the
  /// masked bits.
  case maskAndShadow

  /// The mode of a value of the module's parameter; nil for a value that is not known here.
  public init?(parameter text: String) {
    switch text {
    case "0": self = .byHand
    case "1": self = .lists
    case "2": self = .maskAndShadow
    default: return nil
    }
  }

  /// The mode for a person.
  public var summary: String {
    switch self {
    case .byHand: "by hand"
    case .lists: "by VMX's MSR lists"
    case .maskAndShadow: "by VMX's mask and shadow"
    }
  }
}

extension SpecCtrlMode: Term {}
