// The eight arithmetic instructions that share one encoding (Intel SDM vol. 2: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP):
// the operation's number is bits 5..3 of the opcode with a register, the digit in ModRM with a constant. The methods
// only name their operation, because all of them are the same five rows; the rows are at the end of the file.

/// The operations, in the order of their numbers.
enum Arithmetic: UInt8, CaseIterable {
  case add, or, adc, sbb, and, sub, xor, cmp
}

extension Assembler {
  /// `add register, register`.
  public mutating func add<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.add, d, s, comment) }
  /// `add register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func add<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.add, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `add register, memory`.
  public mutating func add<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.add, d, s, comment)
  }
  /// `add memory, register`.
  public mutating func add<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.add, d, s, comment)
  }
  /// `add memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func add(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.add, size, .memory(d, size), value, comment)
  }

  /// `or register, register`.
  public mutating func or<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.or, d, s, comment) }
  /// `or register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func or<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.or, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `or register, memory`.
  public mutating func or<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") { arith(.or, d, s, comment) }
  /// `or memory, register`.
  public mutating func or<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") { arith(.or, d, s, comment) }
  /// `or memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func or(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.or, size, .memory(d, size), value, comment)
  }

  /// `adc register, register`.
  public mutating func adc<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.adc, d, s, comment) }
  /// `adc register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func adc<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.adc, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `adc register, memory`.
  public mutating func adc<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.adc, d, s, comment)
  }
  /// `adc memory, register`.
  public mutating func adc<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.adc, d, s, comment)
  }
  /// `adc memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func adc(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.adc, size, .memory(d, size), value, comment)
  }

  /// `sbb register, register`.
  public mutating func sbb<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.sbb, d, s, comment) }
  /// `sbb register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func sbb<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.sbb, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `sbb register, memory`.
  public mutating func sbb<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.sbb, d, s, comment)
  }
  /// `sbb memory, register`.
  public mutating func sbb<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.sbb, d, s, comment)
  }
  /// `sbb memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func sbb(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.sbb, size, .memory(d, size), value, comment)
  }

  /// `and register, register`.
  public mutating func and<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.and, d, s, comment) }
  /// `and register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func and<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.and, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `and register, memory`.
  public mutating func and<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.and, d, s, comment)
  }
  /// `and memory, register`.
  public mutating func and<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.and, d, s, comment)
  }
  /// `and memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func and(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.and, size, .memory(d, size), value, comment)
  }

  /// `sub register, register`.
  public mutating func sub<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.sub, d, s, comment) }
  /// `sub register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func sub<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.sub, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `sub register, memory`.
  public mutating func sub<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.sub, d, s, comment)
  }
  /// `sub memory, register`.
  public mutating func sub<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.sub, d, s, comment)
  }
  /// `sub memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func sub(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.sub, size, .memory(d, size), value, comment)
  }

  /// `xor register, register`.
  public mutating func xor<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.xor, d, s, comment) }
  /// `xor register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func xor<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.xor, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `xor register, memory`.
  public mutating func xor<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.xor, d, s, comment)
  }
  /// `xor memory, register`.
  public mutating func xor<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.xor, d, s, comment)
  }
  /// `xor memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func xor(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.xor, size, .memory(d, size), value, comment)
  }

  /// `cmp register, register`.
  public mutating func cmp<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.cmp, d, s, comment) }
  /// `cmp register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func cmp<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.cmp, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `cmp register, memory`.
  public mutating func cmp<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    arith(.cmp, d, s, comment)
  }
  /// `cmp memory, register`.
  public mutating func cmp<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    arith(.cmp, d, s, comment)
  }
  /// `cmp memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func cmp(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.cmp, size, .memory(d, size), value, comment)
  }

  /// An operation with LOCK: `lock add memory, register`.
  public mutating func locked<R: GeneralRegister>(
    _ operation: LockedArithmetic, _ d: Memory, _ s: R, _ comment: String = ""
  ) {
    arith(operation.operation, d, s, lock: true, comment)
  }

  /// An operation with LOCK: `lock add memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func locked(
    _ operation: LockedArithmetic, _ size: OperandSize, _ d: Memory, _ value: some BinaryInteger,
    _ comment: String = ""
  ) {
    arith(operation.operation, size, .memory(d, size), value, lock: true, comment)
  }
}

extension LockedArithmetic {
  fileprivate var operation: Arithmetic {
    switch self {
    case .add: .add
    case .or: .or
    case .adc: .adc
    case .sbb: .sbb
    case .and: .and
    case .sub: .sub
    case .xor: .xor
    }
  }
}

// The rows: 00 /r, 02 /r, 80 /digit, 83 /digit and their wider neighbours.
extension Assembler {
  private mutating func arith<R: GeneralRegister>(_ operation: Arithmetic, _ d: R, _ s: R, _ comment: String) {
    arith(operation, 0x00, R.size, [.rm(AnyRegister(d)), .reg(AnyRegister(s))], comment)
  }

  private mutating func arith<R: GeneralRegister>(_ operation: Arithmetic, _ d: R, _ s: Memory, _ comment: String) {
    arith(operation, 0x02, R.size, [.reg(AnyRegister(d)), .memory(s, R.size)], comment)
  }

  private mutating func arith<R: GeneralRegister>(
    _ operation: Arithmetic, _ d: Memory, _ s: R, lock: Bool = false, _ comment: String
  ) {
    arith(operation, 0x00, R.size, [.memory(d, R.size), .reg(AnyRegister(s))], lock: lock, comment)
  }

  private mutating func arith(
    _ operation: Arithmetic, _ form: UInt8, _ size: OperandSize, _ operands: [Operand], lock: Bool = false,
    _ comment: String
  ) {
    let (name, prefix) = Self.names("\(operation)", lock)
    sized(name, prefix: prefix, operation.rawValue << 3 | form, size, operands, comment)
  }

  private mutating func arith(
    _ operation: Arithmetic, _ size: OperandSize, _ d: Operand, _ value: some BinaryInteger, lock: Bool = false,
    _ comment: String
  ) {
    let (name, prefix) = Self.names("\(operation)", lock)
    let constant = Immediate(value, size)
    let short = size != .byte && constant.fits(signedBits: 8)
    let operand = Operand.immediate(constant, bytes: short ? 1 : min(size.bytes, 4))
    let opcode = short ? 0x83 : size.opcode(0x80)
    sized(name, prefix: prefix, [opcode], size, digit: operation.rawValue, [d, operand], comment)
  }

  static func names(_ name: String, _ lock: Bool) -> (name: String, prefix: UInt8?) {
    lock ? ("lock " + name, 0xF0) : (name, nil)
  }
}
