// What the kernel lets this very process speculate about. KVM runs the guest on this thread, and leaving it restores
// the thread's own SPEC_CTRL, so the thread's state is part of every figure.
//
// Facts: Linux Documentation/userspace-api/spec_ctrl.rst; prctl(2), PR_GET_SPECULATION_CTRL.

import CHost

/// A misfeature of the CPU and what the calling thread may do with it.
public struct SpeculationState: Hashable, Sendable {
  /// What holds for the thread now.
  public enum Setting: String, Hashable, Sendable {
    /// The CPU does not have the misfeature.
    case notAffected = "not affected"
    /// The speculation is on, and so its mitigation is off.
    case enabled = "enabled"
    /// The speculation is off, and so its mitigation is on.
    case disabled = "disabled"
    /// Off until the thread's next execve(2).
    case disabledUntilExec = "disabled until exec"
    /// Off, and can never be turned on again.
    case forceDisabled = "force disabled"
    /// The kernel does not know the question, or answers in bits that this project does not know.
    case unknown = "unknown"
  }

  /// What holds for the thread now.
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
  /// The setting in words, and whether prctl may change it.
  public var description: String {
    setting.rawValue + (isControllable ? " (controlled by prctl)" : "")
  }
}

/// What the calling thread may speculate about, by the kernel's account.
public struct ProcessMitigations: Hashable, Sendable {
  /// Speculative store bypass; disabled means that SSBD is on.
  public let storeBypass: SpeculationState
  /// Indirect-branch speculation between processes; disabled means that STIBP and IBPB guard the thread.
  public let indirectBranch: SpeculationState

  /// A state that was read before, or made up in a test.
  public init(storeBypass: SpeculationState, indirectBranch: SpeculationState) {
    self.storeBypass = storeBypass
    self.indirectBranch = indirectBranch
  }

  /// Asks the kernel about the calling thread.
  public static func ofThisThread() -> ProcessMitigations {
    ProcessMitigations(
      storeBypass: SpeculationState(prctlResult: chost_get_speculation_control(UInt(PR_SPEC_STORE_BYPASS))),
      indirectBranch: SpeculationState(prctlResult: chost_get_speculation_control(UInt(PR_SPEC_INDIRECT_BRANCH))))
  }
}
