// The devices of a PC around one vCPU, and the ports of each.

import Devices
import Hypervisor

/// The host's end of a guest's serial line.
public protocol SerialLine: AnyObject, Sendable {
  /// Whether each byte is passed on at once; otherwise bytes are passed on in lines or larger pieces.
  var isPrompt: Bool { get }
  /// Takes bytes from the guest.
  func put(_ bytes: [UInt8])
  /// Returns the next byte for the guest; nil if there is none. The sender of a byte must have raised the port's
  /// interrupt.
  func take() -> UInt8?
}

/// The devices as the run loop's handler of exits.
struct PC: ExitHandler, ~Copyable {
  /// How a guest ended itself by a port access.
  enum End: Equatable {
    /// It wrote this to the status port.
    case status(UInt32)
    /// Spectrap's own first process has finished.
    case done
    /// It reset the machine.
    case reset
  }

  private var serial = Serial8250()
  private var clock = RealTimeClock()
  private var firmware: FirmwareConfiguration
  private(set) var doorbell = Doorbell()
  private(set) var tail = SerialTail()
  private(set) var end: End?
  /// Why a device's interrupt could not be set.
  private(set) var failure: KVMError?

  private let line: any SerialLine
  /// The bytes from the serial port that were not passed on yet; `pendingCount` of them are valid.
  ///
  /// They are stored inline, because an array's uniqueness check would cost time at each byte.
  private var pending = InlineArray<4096, UInt8>(repeating: 0)
  private var pendingCount = 0
  /// The number of pending bytes at which they are passed on, even within a line.
  private let mostPending: Int
  private let interrupts: InterruptInputs
  private var isInterrupting = false
  /// `Serial8250.transmitsAlone`, as of the last access that could change it.
  private var transmitsAlone: Bool

  init(memory: UInt64, line: any SerialLine, interrupts: consuming InterruptInputs) {
    firmware = FirmwareConfiguration(memory: memory)
    self.line = line
    mostPending = line.isPrompt ? 1 : pending.count
    transmitsAlone = serial.transmitsAlone
    self.interrupts = interrupts
  }

  /// Forgets the guest's end and the data that it wrote, so that it can run again.
  mutating func resume() {
    end = nil
    doorbell.clearData()
  }

  // MARK: Ports

  @inline(__always) mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    // The most frequent access by far.
    if transmitsAlone, let byte = cpu.byte(of: access, to: Serial8250.firstPort) {
      transmit(byte)
      return .resume
    }
    return otherPortOut(access, from: cpu)
  }

  @inline(never) private mutating func otherPortOut(
    _ access: PortAccess, from cpu: borrowing VirtualCPU
  ) -> Disposition {
    if access.port &- Serial8250.firstPort < 8 {
      let register = access.port &- Serial8250.firstPort
      cpu.forEachElement(of: access) { writeSerial(UInt8(truncatingIfNeeded: $0), to: register) }
      return updateInterrupt()
    }
    cpu.forEachElement(of: access) { value in
      switch access.port {
      case RealTimeClock.indexPort: clock.select(UInt8(truncatingIfNeeded: value))
      case FirmwareConfiguration.selectorPort: firmware.select(UInt16(truncatingIfNeeded: value))
      case StatusPort.port: end = end ?? .status(value)
      case Doorbell.dataPort: doorbell.append(value)
      case Doorbell.textPort: doorbell.append(text: UInt8(truncatingIfNeeded: value))
      case Doorbell.endPort: end = end ?? .done
      case let port:
        if let input = TestInterruptLines.input(at: port) { set(input, value != 0) }
        if StatusPort.resets(port, value) { end = end ?? .reset }
      }
    }
    return end == nil && failure == nil ? .resume : .stop
  }

  mutating func portIn(_ access: PortAccess, to cpu: inout VirtualCPU) -> Disposition {
    if access.port &- Serial8250.firstPort < 8 {
      let register = access.port &- Serial8250.firstPort
      feed()
      cpu.answer(access) { UInt32(serial.read(register).value) }
      return updateInterrupt()
    }
    switch access.port {
    case RealTimeClock.dataPort: cpu.answer(access) { UInt32(clock.value) }
    case FirmwareConfiguration.dataPort: cpu.answer(access) { UInt32(firmware.next()) }
    default: cpu.answer(access) { OpenBus.read(access.port) }
    }
    return .resume
  }

  // MARK: Addresses without memory

  mutating func mmioWrite(_ access: MMIOAccess) -> Disposition { .resume }

  mutating func mmioRead(_ access: MMIOAccess, to cpu: inout VirtualCPU) -> Disposition {
    cpu.answerMMIO(with: .max)
    return .resume
  }

  // MARK: The serial port

  private mutating func writeSerial(_ value: UInt8, to register: UInt16) {
    if case .transmit(let byte) = serial.write(value, to: register) { transmit(byte) }
  }

  @inline(__always) private mutating func transmit(_ byte: UInt8) {
    pending[pendingCount] = byte
    pendingCount &+= 1
    if byte == UInt8(ascii: "\n") || pendingCount == mostPending { flush() }
  }

  /// Passes the pending bytes to the line.
  @inline(never) mutating func flush() {
    guard pendingCount > 0 else { return }
    // Safe: the bytes are copied while the span lives.
    let bytes = unsafe pending.span.extracting(first: pendingCount).withUnsafeBufferPointer { unsafe Array($0) }
    pendingCount = 0
    tail.append(bytes)
    line.put(bytes)
  }

  /// Moves a waiting byte from the line into the port.
  private mutating func feed() {
    guard serial.takesInput, let byte = line.take() else { return }
    serial.receive(byte)
    // The sender has raised the interrupt.
    isInterrupting = true
  }

  private mutating func updateInterrupt() -> Disposition {
    transmitsAlone = serial.transmitsAlone
    guard serial.interrupts != isInterrupting else { return .resume }
    isInterrupting.toggle()
    set(UInt32(Serial8250.interrupt), isInterrupting)
    return failure == nil ? .resume : .stop
  }

  // MARK: Interrupts

  private mutating func set(_ input: UInt32, _ isHigh: Bool) {
    do { try interrupts.set(input, isHigh) } catch { failure = failure ?? error }
  }
}
