// The arithmetic instructions that share one encoding (Intel SDM vol. 2: ADD, OR, AND, XOR, CMP; ADC, SBB and SUB are
// its other numbers): the operation's number is bits 5..3 of the opcode with a register, and the digit in ModRM with a
// constant.

/// An operation; the raw value is its number in the encoding.
private enum Arithmetic: UInt8 {
  case add = 0, or = 1, and = 4, xor = 6, cmp = 7
}

extension Assembler {
  /// `add register, register`.
  public mutating func add<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.add, d, s, comment) }
  /// `add register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func add<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.add, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `add memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func add(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.add, size, .memory(d, size), value, comment)
  }

  /// `or register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func or<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.or, R.size, .rm(AnyRegister(d)), value, comment)
  }

  /// `and register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func and<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.and, R.size, .rm(AnyRegister(d)), value, comment)
  }

  /// `xor register, register`.
  public mutating func xor<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.xor, d, s, comment) }
  /// `xor register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func xor<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.xor, R.size, .rm(AnyRegister(d)), value, comment)
  }

  /// `cmp register, register`.
  public mutating func cmp<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") { arith(.cmp, d, s, comment) }
  /// `cmp register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func cmp<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.cmp, R.size, .rm(AnyRegister(d)), value, comment)
  }
  /// `cmp memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func cmp(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    arith(.cmp, size, .memory(d, size), value, comment)
  }
}

// The rows: 00 /r, 80 /digit, 83 /digit and their wider neighbours.
extension Assembler {
  private mutating func arith<R: GeneralRegister>(_ operation: Arithmetic, _ d: R, _ s: R, _ comment: String) {
    sized("\(operation)", operation.rawValue << 3, R.size, [.rm(AnyRegister(d)), .reg(AnyRegister(s))], comment)
  }

  private mutating func arith(
    _ operation: Arithmetic, _ size: OperandSize, _ d: Operand, _ value: some BinaryInteger, _ comment: String
  ) {
    let constant = Immediate(value, size)
    let short = size != .byte && constant.fits(signedBits: 8)
    let operand = Operand.immediate(constant, bytes: short ? 1 : min(size.bytes, 4))
    let opcode = short ? 0x83 : size.opcode(0x80)
    sized("\(operation)", [opcode], size, digit: operation.rawValue, [d, operand], comment)
  }
}
