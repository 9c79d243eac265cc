// The first 640 KiB of a guest's memory when it begins: tables for the processor and of the boot protocols. The guest
// may overwrite them once it runs.

/// Guest-physical addresses of these tables.
enum LowMemory {
  static let gdt: UInt64 = 0x500
  static let startInfo: UInt64 = 0x6000
  static let zeroPage: UInt64 = 0x7000
  /// As high as possible, because images of 16-bit programs lie low.
  static let multibootInfo: UInt64 = 0x9_e000
  static let multibootCommandLine: UInt64 = 0x9_e100
  static let multibootCommandLineSize = 0xf00
  static let pageTables: UInt64 = 0xa000
  static let commandLine: UInt64 = 0x2_0000
  static let commandLineSize = 0x1_0000

  /// The addresses that a loaded file must not use, for each protocol.
  static let linuxTables: Range<UInt64> = 0x500..<0x3_0000
  static let multibootTables: Range<UInt64> = 0x9_e000..<0x9_f000

  /// The end of usable memory below 640 KiB; the rest belongs to a PC's firmware.
  static let lowEnd: UInt64 = 0x9_fc00

  /// The kinds of memory in a PC's memory map.
  enum Kind: UInt32 {
    case usable = 1, reserved = 2
  }

  /// The memory map of a machine with this much memory.
  static func map(of memory: UInt64) -> [(start: UInt64, end: UInt64, kind: Kind)] {
    [
      (0, lowEnd, .usable), (lowEnd, 0xa_0000, .reserved), (0xf_0000, 0x10_0000, .reserved),
      (0x10_0000, memory, .usable),
    ]
  }
}
