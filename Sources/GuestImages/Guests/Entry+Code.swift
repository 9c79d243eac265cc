// Properties of a kernel entry that the guest's kernel and its user code need.
// Facts: Intel SDM vol. 2, SYSCALL, SYSENTER, INT3, UD2; vol. 3A, 5.8.7 and 6.12.

import Registers

extension Entry {
  /// The mode of the user code.
  var userMode: CodeMode { self == .sysenter ? .bits32 : .bits64 }
  /// The selector that user code runs under.
  var userCode: UInt16 { self == .sysenter ? Selector.userCode32 : Selector.userCode64 }
  /// The exception that enters the kernel; nil for entries with an instruction of their own.
  var vector: Int? {
    switch self {
    case .breakpoint: 3
    case .undefined: 6
    default: nil
    }
  }
}
