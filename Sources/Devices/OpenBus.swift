// What ports without a device read as.
// Facts: Linux arch/x86/kernel/tsc.c (pit_calibrate_tsc, quick_pit_calibrate), arch/x86/kernel/i8253.c.

/// A PC's ports without a device.
public enum OpenBus {
  private static let timerCounter2: UInt16 = 0x42
  private static let speaker: UInt16 = 0x61

  /// All ones, like an empty bus; but a missing timer reads as done, so that kernels do not wait for it.
  public static func read(_ port: UInt16) -> UInt32 {
    switch port {
    case timerCounter2: 0
    case speaker: 0x20
    default: .max
    }
  }
}
