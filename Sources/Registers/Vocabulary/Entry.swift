// How a guest's user mode reaches its kernel.
// Facts: Intel SDM vol. 2, SYSCALL, SYSENTER, INT3, UD2; vol. 3A, 5.8.7 and 6.12.

/// A kernel-entry mechanism.
public enum Entry: String, CaseIterable, Sendable {
  /// SYSCALL and SYSRET, from 64-bit user mode.
  case syscall
  /// SYSENTER and SYSEXIT, from 32-bit compatibility mode.
  case sysenter
  /// INT3 and IRET, from 64-bit user mode.
  case breakpoint
  /// UD2 and IRET, from 64-bit user mode.
  case undefined
  /// SYSCALL and SYSRET, from 64-bit user mode, into a kernel that isolates its page tables from user mode, as kernels
  /// of February 2018 did.
  case isolated
  /// No user mode: only the kernel's work, in ring 0.
  case none

  /// One line for a person.
  public var summary: String {
    switch self {
    case .syscall: "SYSCALL/SYSRET from 64-bit user mode"
    case .sysenter: "SYSENTER/SYSEXIT from 32-bit compatibility mode"
    case .breakpoint: "INT3/IRET from 64-bit user mode"
    case .undefined: "UD2/IRET from 64-bit user mode (the handler steps over the UD2)"
    case .isolated:
      "SYSCALL/SYSRET as in February 2018: two CR3 writes with PCID, SWAPGS twice, 15 registers saved and restored"
    case .none: "no user mode: only the kernel's work, in ring 0"
    }
  }

  /// The mechanisms that switch rings, in order of preference.
  public static let ringSwitching: [Entry] = [.syscall, .sysenter, .breakpoint, .undefined, .isolated]

  /// Whether it is a system-call instruction.
  public var isSystemCall: Bool { [.syscall, .sysenter, .isolated].contains(self) }

  /// Whether its kernel needs process-context identifiers (PCID).
  public var needsPCID: Bool { self == .isolated }
}
