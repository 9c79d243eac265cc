// A PC's devices around one vCPU: which of them stands behind which port.

import Devices
import Hypervisor

/// The other end of a guest's serial line.
public protocol SerialLine: AnyObject, Sendable {
  /// Whether each byte is wanted at once; otherwise lines are, or what comes together.
  var isPrompt: Bool { get }
  /// Bytes come out of the guest.
  func put(_ bytes: [UInt8])
  /// The next byte that goes into the guest, nil where there is none; whoever puts one there has raised the port's
  /// interrupt.
  func take() -> UInt8?
}

/// The devices, as the run loop asks them.
struct PC: ExitHandler, ~Copyable {
  /// How a guest ended by a port.
  enum End: Equatable {
    /// It wrote this to the status port.
    case status(UInt32)
    /// Spectrap's own first process is done.
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
  /// Why the serial port could not interrupt.
  private(set) var failure: KVMError?

  private let line: any SerialLine
  /// What came out of the serial port and has not been handed on: the first so many bytes.
  ///
  /// In the value itself: a byte costs no look at an array's owner.
  private var pending = InlineArray<4096, UInt8>(repeating: 0)
  private var pendingCount = 0
  /// So many bytes are handed on at once, ended or not.
  private let mostPending: Int
  private let interrupt: InterruptLine
  private var isInterrupting = false
  /// `Serial8250.transmitsAlone`, as of the last access that could change it.
  private var transmitsAlone: Bool

  init(memory: UInt64, line: any SerialLine, interrupt: consuming InterruptLine) {
    firmware = FirmwareConfiguration(memory: memory)
    self.line = line
    mostPending = line.isPrompt ? 1 : pending.count
    transmitsAlone = serial.transmitsAlone
    self.interrupt = interrupt
  }

  /// Takes back that the guest has come to its end, and what it has told of its figures: it goes on.
  mutating func goOn() {
    end = nil
    doorbell.takeBackData()
  }

  // MARK: Ports

  @inline(__always) mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    // Of all accesses the most frequent, by far.
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
      case Doorbell.dataPort: doorbell.tell(value)
      case Doorbell.textPort: doorbell.tell(text: UInt8(truncatingIfNeeded: value))
      case Doorbell.endPort: end = end ?? .done
      default: if StatusPort.resets(access.port, value) { end = end ?? .reset }
      }
    }
    return end == nil ? .resume : .stop
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

  // MARK: Memory without memory

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

  /// Hands on what came out of the serial port.
  @inline(never) mutating func flush() {
    guard pendingCount > 0 else { return }
    // Safe: the bytes are copied while the span lives.
    let bytes = unsafe pending.span.extracting(first: pendingCount).withUnsafeBufferPointer { unsafe Array($0) }
    pendingCount = 0
    tail.append(bytes)
    line.put(bytes)
  }

  /// Lets a byte in that waits outside.
  private mutating func feed() {
    guard serial.takesInput, let byte = line.take() else { return }
    serial.receive(byte)
    // Whoever brought it has raised the line.
    isInterrupting = true
  }

  private mutating func updateInterrupt() -> Disposition {
    transmitsAlone = serial.transmitsAlone
    guard serial.interrupts != isInterrupting else { return .resume }
    isInterrupting.toggle()
    do { try interrupt.set(isInterrupting) } catch {
      failure = error
      return .stop
    }
    return .resume
  }
}
