// What ports read as that no device of ours stands behind.
// Facts: Linux arch/x86/kernel/tsc.c (pit_calibrate_tsc, quick_pit_calibrate), arch/x86/kernel/i8253.c.

/// The rest of a PC's ports.
public enum OpenBus {
  /// The first of the timer's counters that is waited for, where KVM has no timer.
  private static let timerCounter2: UInt16 = 0x42
  private static let speaker: UInt16 = 0x61

  /// All ones, as a bus without a device reads; but a timer that is not there says that it is done, or kernels would
  /// wait for it until they give up.
  public static func read(_ port: UInt16) -> UInt32 {
    switch port {
    case timerCounter2: 0
    case speaker: 0x20
    default: .max
    }
  }
}
