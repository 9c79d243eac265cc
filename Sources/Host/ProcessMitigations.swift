// The speculation controls of this thread. KVM runs the guest on this thread and restores the thread's own SPEC_CTRL at
// exits, so the thread's state affects every measurement.
//
// Facts: Linux Documentation/userspace-api/spec_ctrl.rst; prctl(2), PR_GET_SPECULATION_CTRL.

import CHost

/// The state of a kind of speculation for the calling thread.
public struct SpeculationState: Hashable, Sendable {
  /// The setting for the thread.
  public enum Setting: String, Hashable, Sendable {
    /// The CPU does not have this speculation.
    case notAffected = "not affected"
    /// The speculation is on, and so its mitigation is off.
    case enabled = "enabled"
    /// The speculation is off, and so its mitigation is on.
    case disabled = "disabled"
    /// Off until the thread's next execve(2).
    case disabledUntilExec = "disabled until exec"
    /// Off, and cannot be turned on again.
    case forceDisabled = "force disabled"
    /// The kernel does not know the request, or returns unknown bits.
    case unknown = "unknown"
  }

  public let setting: Setting
  /// Whether prctl(2) may change it for one thread.
  public let isControllable: Bool

  /// Decodes what prctl(PR_GET_SPECULATION_CTRL) returned: bits, or a negative errno.
  public init(prctlResult result: Int) {
    guard result >= 0 else {
      setting = .unknown
      isControllable = false
      return
    }
    isControllable = result & Int(PR_SPEC_PRCTL) != 0
    setting =
      switch result & ~Int(PR_SPEC_PRCTL) {
      case Int(PR_SPEC_NOT_AFFECTED): isControllable ? .unknown : .notAffected
      case Int(PR_SPEC_ENABLE): .enabled
      case Int(PR_SPEC_DISABLE): .disabled
      case Int(PR_SPEC_DISABLE_NOEXEC): .disabledUntilExec
      case Int(PR_SPEC_FORCE_DISABLE): .forceDisabled
      default: .unknown
      }
  }
}

extension SpeculationState: CustomStringConvertible {
  /// The setting, and whether prctl may change it.
  public var description: String { setting.rawValue + (isControllable ? " (controlled by prctl)" : "") }
}

/// The calling thread's speculation controls.
public struct ProcessMitigations: Hashable, Sendable {
  /// Speculative store bypass; disabled means that SSBD is on.
  public let storeBypass: SpeculationState
  /// Indirect-branch speculation between processes; disabled means that STIBP and IBPB guard the thread.
  public let indirectBranch: SpeculationState

  /// Reads the calling thread's controls.
  public static func ofThisThread() -> ProcessMitigations {
    ProcessMitigations(
      storeBypass: SpeculationState(prctlResult: chost_get_speculation_control(UInt(PR_SPEC_STORE_BYPASS))),
      indirectBranch: SpeculationState(prctlResult: chost_get_speculation_control(UInt(PR_SPEC_INDIRECT_BRANCH))))
  }
}
