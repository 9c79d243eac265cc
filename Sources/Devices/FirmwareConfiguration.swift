// The firmware configuration that kvm-unit-tests read: the number of processors and the size of memory.
// Facts: QEMU docs/specs/fw_cfg.rst; kvm-unit-tests lib/x86/fwcfg.c.

/// The device behind ports 0x510 and 0x511.
public struct FirmwareConfiguration: Sendable {
  /// Selects a key, 16 bits.
  public static let selectorPort: UInt16 = 0x510
  /// Reads the key's value byte by byte, the lowest first.
  public static let dataPort: UInt16 = 0x511

  private static let ramSize: UInt16 = 3
  private static let processorCount: UInt16 = 5
  private static let maximumRAM: UInt16 = 0x11

  private let memory: UInt64
  private var value: UInt64 = 0

  /// The configuration of a machine with one processor and this much memory in bytes.
  public init(memory: UInt64) { self.memory = memory }

  /// The guest selects a key; an unknown one reads as zeroes.
  public mutating func select(_ key: UInt16) {
    value =
      switch key {
      case Self.ramSize, Self.maximumRAM: memory
      case Self.processorCount: 1
      default: 0
      }
  }

  /// The next byte of the value.
  public mutating func next() -> UInt8 {
    defer { value >>= 8 }
    return UInt8(truncatingIfNeeded: value)
  }
}
