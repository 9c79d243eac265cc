// What a Linux kernel does for Spectrap's own first process, by name.
// Facts: Linux arch/x86/entry/calling.h (IBRS_ENTER, IBRS_EXIT): where the kernel uses IBRS by itself, it writes the
// register at each entry from user mode and before each return there.

/// Something that a kernel does again and again, and that is timed.
public enum KernelWork: String, CaseIterable, Sendable {
  /// The system call getppid(2).
  case getppid
  /// A store to a page that is there: the kernel is not entered.
  case touchedPage = "touched-page"
  /// A store to a page that the kernel has yet to give.
  case pageFault = "page-fault"
  /// A byte to another process through a pipe, and one back: two writes and two reads, and two switches in between.
  case pipe

  /// How often one of it enters the kernel from user mode.
  public var entries: Int {
    switch self {
    case .touchedPage: 0
    case .getppid, .pageFault: 1
    case .pipe: 4
    }
  }

  /// How many entries of another process can fall on either side of the points between which is counted: the one that
  /// answers through the pipe may wait in its next call already, or have yet to make it.
  public var looseEntries: Int { self == .pipe ? 1 : 0 }

  /// How often one of it writes IA32_SPEC_CTRL in a kernel that does this against Spectre v2; nil for not known.
  public func writes(under mitigation: KernelMitigation?) -> Int? {
    mitigation.map { $0 == .ibrs ? 2 * entries : 0 }
  }

  /// What can be measured of a kernel: all that enters it.
  public static let kernelEntries = allCases.filter { $0.entries > 0 }
}

extension KernelWork: Term {}
