// The ports by which a test raises interrupts.

import Devices
import Testing

@Suite("The test's interrupt lines")
struct TestInterruptLinesTests {
  @Test("have a port for each input of the I/O APIC, and no other")
  func ports() {
    #expect(TestInterruptLines.input(at: 0x2000) == 0)
    #expect(TestInterruptLines.input(at: 0x200b) == 11)
    #expect(TestInterruptLines.input(at: 0x2017) == 23)
    for other: UInt16 in [0, 0x1fff, 0x2018, .max] { #expect(TestInterruptLines.input(at: other) == nil) }
  }
}
