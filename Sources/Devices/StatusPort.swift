// The ports with which a guest ends: with a status, or with a PC's reset.
// Facts: QEMU hw/misc/debugexit.c (isa-debug-exit); Linux arch/x86/kernel/reboot.c (0x64 and 0xcf9).

/// The ports that end a guest.
public enum StatusPort {
  /// A write here ends the guest with the value as its status, as QEMU's isa-debug-exit.
  public static let port: UInt16 = 0xf4

  private static let keyboard: UInt16 = 0x64
  private static let resetControl: UInt16 = 0xcf9

  /// Whether a write resets the machine: the keyboard controller pulses its line, or bit 2 of the chipset's reset
  /// register is set.
  public static func resets(_ port: UInt16, _ value: UInt32) -> Bool {
    port == keyboard && value == 0xfe || port == resetControl && value & 4 != 0
  }
}
