// What kvm-unit-tests ask the firmware for: the number of processors and the size of memory.
// Facts: QEMU docs/specs/fw_cfg.rst; kvm-unit-tests lib/x86/fwcfg.c.

/// The device behind ports 0x510 and 0x511.
public struct FirmwareConfiguration: Sendable {
  /// Where a key is chosen, 16 bits.
  public static let selectorPort: UInt16 = 0x510
  /// Where its value is read, byte by byte, the lowest first.
  public static let dataPort: UInt16 = 0x511

  private static let ramSize: UInt16 = 3
  private static let processorCount: UInt16 = 5
  private static let maximumRAM: UInt16 = 0x11

  private let memory: UInt64
  private var value: UInt64 = 0

  /// The configuration of a machine of one processor and so many bytes of memory.
  public init(memory: UInt64) { self.memory = memory }

  /// The guest chooses a key; what there is not reads as zeroes.
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
