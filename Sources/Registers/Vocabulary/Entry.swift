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
  /// No user mode: only the kernel's work, in ring 0.
  case none

  /// One line for a person.
  public var summary: String {
    switch self {
    case .syscall: "SYSCALL/SYSRET from 64-bit user mode"
    case .sysenter: "SYSENTER/SYSEXIT from 32-bit compatibility mode"
    case .breakpoint: "INT3/IRET from 64-bit user mode"
    case .undefined: "UD2/IRET from 64-bit user mode (the handler steps over the UD2)"
    case .none: "no user mode: only the kernel's work, in ring 0"
    }
  }

  /// The mechanisms that switch rings, in order of preference.
  public static let ringSwitching: [Entry] = [.syscall, .sysenter, .breakpoint, .undefined]

  /// Whether it is a system-call instruction.
  public var isSystemCall: Bool { self == .syscall || self == .sysenter }
}
