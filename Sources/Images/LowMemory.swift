// What stands in the first 640 KiB of a guest's memory when it begins: tables for the processor, and what boot
// protocols hand over. A guest may do with them what it likes once it runs.

/// Guest-physical addresses of what Spectrap puts there.
enum LowMemory {
  static let gdt: UInt64 = 0x500
  static let startInfo: UInt64 = 0x6000
  static let zeroPage: UInt64 = 0x7000
  /// As high as it may be: images of 16-bit programs lie low.
  static let multibootInfo: UInt64 = 0x9_e000
  static let multibootCommandLine: UInt64 = 0x9_e100
  static let multibootCommandLineSize = 0xf00
  static let pageTables: UInt64 = 0xa000
  static let commandLine: UInt64 = 0x2_0000
  static let commandLineSize = 0x1_0000

  /// What a file that is loaded must leave alone, by the protocol that it is entered by.
  static let linuxTables: Range<UInt64> = 0x500..<0x3_0000
  static let multibootTables: Range<UInt64> = 0x9_e000..<0x9_f000

  /// The end of usable memory below 640 KiB: what is above belongs to a PC's firmware.
  static let lowEnd: UInt64 = 0x9_fc00

  /// The kinds of memory in a PC's memory map.
  enum Kind: UInt32 {
    case usable = 1
    case reserved = 2
  }

  /// The memory map of a machine with this much memory.
  static func map(of memory: UInt64) -> [(start: UInt64, end: UInt64, kind: Kind)] {
    [
      (0, lowEnd, .usable), (lowEnd, 0xa_0000, .reserved), (0xf_0000, 0x10_0000, .reserved),
      (0x10_0000, memory, .usable),
    ]
  }
}
