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
  private let isPrompt: Bool
  /// What came out of the serial port and has not been handed on.
  private var pending: [UInt8] = []
  private let interrupt: InterruptLine
  private var isInterrupting = false

  init(memory: UInt64, line: any SerialLine, interrupt: consuming InterruptLine) {
    firmware = FirmwareConfiguration(memory: memory)
    self.line = line
    isPrompt = line.isPrompt
    self.interrupt = interrupt
    pending.reserveCapacity(Self.pendingLimit)
  }

  private static let pendingLimit = 4096

  /// Takes back that the guest has come to its end, and what it has told of its figures: it goes on.
  mutating func goOn() {
    end = nil
    doorbell.takeBackData()
  }

  // MARK: Ports

  mutating func portOut(_ access: PortAccess, from cpu: borrowing VirtualCPU) -> Disposition {
    if access.port &- Serial8250.firstPort < 8 {
      let register = access.port &- Serial8250.firstPort
      if register == 0, let byte = cpu.singleByte(of: access), serial.transmits() {
        transmit(byte)
        return updateInterrupt()
      }
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

  private mutating func transmit(_ byte: UInt8) {
    pending.append(byte)
    if byte == UInt8(ascii: "\n") || pending.count == Self.pendingLimit || isPrompt { flush() }
  }

  /// Hands on what came out of the serial port.
  @inline(never) mutating func flush() {
    guard !pending.isEmpty else { return }
    tail.append(pending)
    line.put(pending)
    pending.removeAll(keepingCapacity: true)
  }

  /// Lets a byte in that waits outside.
  private mutating func feed() {
    guard serial.takesInput, let byte = line.take() else { return }
    serial.receive(byte)
    // Whoever brought it has raised the line.
    isInterrupting = true
  }

  private mutating func updateInterrupt() -> Disposition {
    guard serial.interrupts != isInterrupting else { return .resume }
    isInterrupting.toggle()
    do { try interrupt.set(isInterrupting) } catch {
      failure = error
      return .stop
    }
    return .resume
  }
}
