// A PC's real-time clock and its memory. It stands still, so that every boot is the same.
// Facts: Motorola MC146818A data sheet; Linux arch/x86/kernel/rtc.c (what a kernel waits for).

/// The registers behind ports 0x70 and 0x71.
public struct RealTimeClock: Sendable {
  /// Where the register is chosen.
  public static let indexPort: UInt16 = 0x70
  /// Where it is read.
  public static let dataPort: UInt16 = 0x71

  private var index: UInt8 = 0

  /// A clock.
  public init() {}

  /// The guest chooses a register.
  public mutating func select(_ value: UInt8) { index = value & 0x7f }

  /// The chosen register: noon of Saturday, 1 January 2000, in binary-coded decimal.
  public var value: UInt8 {
    switch index {
    case 4: 0x12  // hours
    case 6: 7  // day of the week
    case 7, 8: 1  // day, month
    case 0xa: 0x26  // no update in progress
    case 0xb: 2  // 24 hours
    case 0xd: 0x80  // the battery is good
    case 0x32: 0x20  // century
    default: 0
    }
  }
}
