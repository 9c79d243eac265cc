// A serial port: a 16550A whose line is always ready and never in error, so that a byte is sent as soon as it is
// written.
// Facts: National Semiconductor PC16550D data sheet, section 8 (registers); Linux drivers/tty/serial/8250/8250_port.c
// (how a driver finds out what it has).

/// The registers of a serial port.
///
/// Its methods return an `Effect`: what the caller has to do outside the registers.
public struct Serial8250: Sendable {
  /// The first port of a PC's first serial port; it has eight.
  public static let firstPort: UInt16 = 0x3f8
  /// Its input at the interrupt controllers.
  public static let interrupt = 4

  /// What an access does beyond the registers.
  @frozen public enum Effect: Equatable, Sendable {
    case none
    /// Send this byte.
    case transmit(UInt8)
    /// The guest read the input byte.
    case received
  }

  private enum Register {
    static let data: UInt16 = 0
    static let interruptEnable: UInt16 = 1
    /// The cause of the interrupt when read, control of the buffers when written.
    static let interruptIdentity: UInt16 = 2
    static let lineControl: UInt16 = 3
    static let modemControl: UInt16 = 4
    static let lineStatus: UInt16 = 5
    static let modemStatus: UInt16 = 6
    static let scratch: UInt16 = 7
  }

  @usableFromInline var interruptEnable: UInt8 = 0
  private var bufferControl: UInt8 = 0
  @usableFromInline var lineControl: UInt8 = 0
  @usableFromInline var modemControl: UInt8 = 0
  private var scratch: UInt8 = 0
  private var divisor: (low: UInt8, high: UInt8) = (1, 0)
  /// Whether the interrupt for an empty transmitter is pending.
  @usableFromInline var transmitterPending = false
  /// The input byte; nil if there is none.
  @usableFromInline var input: UInt8?
  /// Whether `input` came from the loop and not from outside.
  private var inputIsLooped = false

  /// A port as after reset.
  public init() {}

  /// Whether the port has room for a byte from outside.
  public var takesInput: Bool { input == nil && modemControl & 0x10 == 0 }

  /// Puts in a byte from outside; only if `takesInput`.
  public mutating func receive(_ byte: UInt8) {
    input = byte
    inputIsLooped = false
  }

  /// Whether the interrupt line is high.
  ///
  /// OUT2 in the modem control register, which enables a PC's interrupt, is ignored: Linux always sets it.
  @inlinable public var interrupts: Bool {
    interruptEnable & 1 != 0 && input != nil || interruptEnable & 2 != 0 && transmitterPending
  }

  @usableFromInline var selectsDivisor: Bool { lineControl & 0x80 != 0 }
  @usableFromInline var isLooped: Bool { modemControl & 0x10 != 0 }

  /// Whether a byte that the guest writes to the data register goes out on the line and changes nothing here: it is
  /// neither part of the divisor nor looped, and nobody wants to be told that the transmitter is empty again.
  public var transmitsAlone: Bool { !selectsDivisor && !isLooped && interruptEnable & 2 == 0 }

  /// The guest writes a register, 0 to 7.
  public mutating func write(_ value: UInt8, to register: UInt16) -> Effect {
    switch register {
    case Register.data:
      if selectsDivisor {
        divisor.low = value
        return .none
      }
      transmitterPending = true
      guard isLooped else { return .transmit(value) }
      (input, inputIsLooped) = (value, true)
    case Register.interruptEnable:
      if selectsDivisor {
        divisor.high = value
      } else {
        // Enabling the interrupt raises it again if the transmitter is empty.
        if value & 2 != 0 && interruptEnable & 2 == 0 { transmitterPending = true }
        interruptEnable = value & 0xf
      }
    case Register.interruptIdentity:
      bufferControl = value
      if value & 2 != 0 { input = nil }
    case Register.lineControl: lineControl = value
    case Register.modemControl: modemControl = value & 0x1f
    case Register.scratch: scratch = value
    default: break
    }
    return .none
  }

  /// The guest reads a register, 0 to 7.
  public mutating func read(_ register: UInt16) -> (value: UInt8, effect: Effect) {
    switch register {
    case Register.data:
      if selectsDivisor { return (divisor.low, .none) }
      guard let byte = input else { return (0, .none) }
      input = nil
      return (byte, inputIsLooped ? .none : .received)
    case Register.interruptEnable: return (selectsDivisor ? divisor.high : interruptEnable, .none)
    case Register.interruptIdentity: return (identity(), .none)
    case Register.lineControl: return (lineControl, .none)
    case Register.modemControl: return (modemControl, .none)
    // The transmitter and its holding register are empty.
    case Register.lineStatus: return (0x60 | (input == nil ? 0 : 1), .none)
    case Register.modemStatus: return (modemStatus, .none)
    default: return (scratch, .none)
    }
  }

  /// The cause of the interrupt, the most urgent first; the empty transmitter is reported once.
  private mutating func identity() -> UInt8 {
    let buffers: UInt8 = bufferControl & 1 != 0 ? 0xc0 : 0
    if interruptEnable & 1 != 0 && input != nil { return buffers | 4 }
    if interruptEnable & 2 != 0 && transmitterPending {
      transmitterPending = false
      return buffers | 2
    }
    return buffers | 1
  }

  /// Carrier, clear to send and data set ready; in loop mode the port's own outputs: RTS as CTS, DTR as DSR, OUT1 as
  /// RI, OUT2 as DCD.
  private var modemStatus: UInt8 {
    guard isLooped else { return 0xb0 }
    let control = modemControl
    return (control & 2) << 3 | (control & 1) << 5 | (control & 4) << 4 | (control & 8) << 4
  }
}
