// The serial port as a driver meets it.

import Devices
import Testing

@Suite("A serial port")
struct SerialTests {
  private var port = Serial8250()

  @Test("sends each byte at once and is ready for the next")
  mutating func sends() {
    #expect(port.write(0x41, to: 0) == .transmit(0x41))
    #expect(port.read(5).value == 0x60)
    #expect(port.transmitsAlone)
  }

  @Test("sends nothing where the data register is the divisor's, or its loop is closed")
  mutating func sendsNot() {
    _ = port.write(0x80, to: 3)
    #expect(!port.transmitsAlone && port.write(0x41, to: 0) == .none)
    _ = port.write(0, to: 3)
    _ = port.write(0x10, to: 4)
    #expect(!port.transmitsAlone && port.write(0x41, to: 0) == .none)
  }

  @Test("says by one interrupt that its transmitter is empty: after a byte, and to who begins to ask")
  mutating func transmitterInterrupt() {
    #expect(!port.interrupts)
    _ = port.write(2, to: 1)
    #expect(port.interrupts)
    #expect(port.read(2).value == 2)
    #expect(!port.interrupts && port.read(2).value == 1, "told once")
    #expect(!port.transmitsAlone, "each byte changes what is to be told")
    _ = port.write(0x41, to: 0)
    #expect(port.interrupts)
    _ = port.write(0, to: 1)
    #expect(!port.interrupts)
  }

  @Test("lets a byte in, says so, and gives it once")
  mutating func receives() {
    _ = port.write(1, to: 1)
    #expect(port.takesInput)
    port.receive(0x7a)
    #expect(!port.takesInput && port.interrupts && port.read(5).value == 0x61 && port.read(2).value == 4)
    let first = port.read(0)
    #expect(first.value == 0x7a && first.effect == .received)
    #expect(!port.interrupts && port.takesInput && port.read(0).value == 0)
  }

  @Test("answers Linux' question whether there is a port: in its loop, RTS and OUT2 come back as CTS and DCD")
  mutating func loop() {
    _ = port.write(0x1a, to: 4)
    #expect(port.read(6).value & 0xf0 == 0x90)
    #expect(port.write(0x55, to: 0) == .none, "nothing leaves the loop")
    #expect(!port.takesInput)
    let back = port.read(0)
    #expect(back.value == 0x55 && back.effect == .none)
  }

  @Test("is a 16550A to Linux: buffers that can be turned on, and no register of a later one")
  mutating func kind() {
    _ = port.write(1, to: 2)
    #expect(port.read(2).value >> 6 == 3)
    _ = port.write(0x21, to: 2)
    #expect(port.read(2).value >> 5 == 6, "no 64-byte buffer")
    _ = port.write(0xff, to: 1)
    #expect(port.read(1).value == 0xf)
  }

  @Test("has its divisor behind the same registers")
  mutating func divisor() {
    _ = port.write(0x83, to: 3)
    _ = port.write(12, to: 0)
    _ = port.write(1, to: 1)
    #expect(port.read(0).value == 12 && port.read(1).value == 1)
    _ = port.write(3, to: 3)
    #expect(port.read(1).value == 0, "the interrupts that are asked for are another register")
  }

  @Test("keeps its scratch register")
  mutating func scratch() {
    _ = port.write(0xa5, to: 7)
    #expect(port.read(7).value == 0xa5)
  }
}

@Suite("Devices")
struct DeviceTests {
  @Test("The clock never updates, and has a good battery and a date")
  func clock() {
    var clock = RealTimeClock()
    func read(_ index: UInt8) -> UInt8 {
      clock.select(index)
      return clock.value
    }
    #expect(read(0xa) & 0x80 == 0 && read(0xd) == 0x80)
    #expect(read(7) == 1 && read(8) == 1 && read(9) == 0 && read(0x32) == 0x20)
    #expect(read(0x8a) == 0x26, "the highest bit masks NMIs and chooses nothing")
  }

  @Test("The firmware's configuration gives processors and memory byte by byte, and zeroes for the rest")
  func firmware() {
    var firmware = FirmwareConfiguration(memory: 0x1234_5678)
    firmware.select(3)
    #expect((0..<9).map { _ in firmware.next() } == [0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0, 0])
    firmware.select(5)
    #expect([firmware.next(), firmware.next()] == [1, 0])
    firmware.select(0x19)
    #expect(firmware.next() == 0)
  }

  @Test("A reset is one by the keyboard controller or by the chipset, and nothing else")
  func resets() {
    #expect(StatusPort.resets(0x64, 0xfe) && StatusPort.resets(0xcf9, 6))
    #expect(!StatusPort.resets(0x64, 0xd1) && !StatusPort.resets(0xcf9, 2) && !StatusPort.resets(0x80, 0xfe))
  }

  @Test("The doorbell keeps what a guest tells, and no more than its limit")
  func doorbell() {
    var doorbell = Doorbell()
    for word in 0..<UInt32(Doorbell.limit + 5) { doorbell.append(word) }
    #expect(doorbell.data.count == Doorbell.limit && doorbell.data.last == UInt32(Doorbell.limit - 1))
  }

  @Test("The tail keeps the last lines of a text of any length")
  func tail() {
    var tail = SerialTail(limit: 64)
    for number in 0..<1000 { tail.append(Array("line \(number)\r\n".utf8)) }
    #expect(tail.lines(2) == ["line 998", "line 999"])
    #expect(tail.lines(2, from: "997") == ["line 997", "line 998"])
    #expect(tail.contains("line 999") && !tail.contains("line 1\r"))
  }

  @Test("A timer that is not there says that it is done, and every other port reads as ones")
  func openBus() {
    #expect(OpenBus.read(0x61) & 0x20 != 0 && OpenBus.read(0x42) != 0xff && OpenBus.read(0xcfc) == .max)
  }
}
