// The ports by which a test raises interrupts itself: those of kvm-unit-tests.
// Facts: QEMU hw/misc/pc-testdev.c (test_irq_line).

/// QEMU's device for tests: a port for each input of the interrupt controllers.
public enum TestInterruptLines {
  /// A write raises the input whose number is the port's distance from the first, or lowers it if the value is 0.
  public static let ports: Range<UInt16> = 0x2000..<0x2018

  /// The input that an access of this port sets; nil if the port is another device's.
  public static func input(at port: UInt16) -> UInt32? {
    ports.contains(port) ? UInt32(port - ports.lowerBound) : nil
  }
}
