// Operations on one operand, shifts and tests (Intel SDM vol. 2: INC, DEC, NOT, NEG, SHL and relatives, TEST, BT, SETcc).

/// The operations on one operand: opcode and digit.
private enum Unary: String {
  case inc, dec, not, neg

  var opcode: UInt8 { self == .inc || self == .dec ? 0xFE : 0xF6 }
  var digit: UInt8 {
    switch self {
    case .inc: 0
    case .dec: 1
    case .not: 2
    case .neg: 3
    }
  }
}

/// The shifts and rotations; the raw value is the digit.
private enum Shift: UInt8 {
  case rol = 0
  case ror = 1
  case shl = 4
  case shr = 5
  case sar = 7
}

extension Assembler {
  /// `inc register`.
  public mutating func inc(_ d: some GeneralRegister, _ comment: String = "") { unary(.inc, d, comment) }
  /// `inc memory`.
  public mutating func inc(_ size: OperandSize, _ d: Memory, _ comment: String = "") { unary(.inc, size, d, comment) }
  /// `dec register`.
  public mutating func dec(_ d: some GeneralRegister, _ comment: String = "") { unary(.dec, d, comment) }
  /// `dec memory`.
  public mutating func dec(_ size: OperandSize, _ d: Memory, _ comment: String = "") { unary(.dec, size, d, comment) }
  /// `not register`.
  public mutating func not(_ d: some GeneralRegister, _ comment: String = "") { unary(.not, d, comment) }
  /// `not memory`.
  public mutating func not(_ size: OperandSize, _ d: Memory, _ comment: String = "") { unary(.not, size, d, comment) }
  /// `neg register`.
  public mutating func neg(_ d: some GeneralRegister, _ comment: String = "") { unary(.neg, d, comment) }
  /// `neg memory`.
  public mutating func neg(_ size: OperandSize, _ d: Memory, _ comment: String = "") { unary(.neg, size, d, comment) }

  /// An operation with LOCK: `lock inc memory`.
  public mutating func locked(
    _ operation: LockedUnary, _ size: OperandSize, _ d: Memory, _ comment: String = ""
  ) {
    switch operation {
    case .inc: unary(.inc, size, d, lock: true, comment)
    case .dec: unary(.dec, size, d, lock: true, comment)
    case .not: unary(.not, size, d, lock: true, comment)
    case .neg: unary(.neg, size, d, lock: true, comment)
    }
  }

  /// `shl register, count`.
  public mutating func shl(_ d: some GeneralRegister, _ count: UInt8, _ comment: String = "") {
    shift(.shl, d, count, comment)
  }

  /// `shr register, count`.
  public mutating func shr(_ d: some GeneralRegister, _ count: UInt8, _ comment: String = "") {
    shift(.shr, d, count, comment)
  }

  /// `sar register, count`.
  public mutating func sar(_ d: some GeneralRegister, _ count: UInt8, _ comment: String = "") {
    shift(.sar, d, count, comment)
  }

  /// `rol register, count`.
  public mutating func rol(_ d: some GeneralRegister, _ count: UInt8, _ comment: String = "") {
    shift(.rol, d, count, comment)
  }

  /// `ror register, count`.
  public mutating func ror(_ d: some GeneralRegister, _ count: UInt8, _ comment: String = "") {
    shift(.ror, d, count, comment)
  }

  /// `test register, register`.
  public mutating func test<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") {
    sized("test", 0x84, R.size, [.rm(AnyRegister(d)), .reg(AnyRegister(s))], comment)
  }

  /// `test register, constant`; a 64-bit register takes a sign-extended 32-bit constant.
  public mutating func test<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    let constant = Operand.immediate(Immediate(value, R.size), bytes: min(R.size.bytes, 4))
    sized("test", 0xF6, R.size, digit: 0, [.rm(AnyRegister(d)), constant], comment)
  }

  /// `bt register, bit`: the bit goes to the carry flag.
  public mutating func bt<R: WideRegister>(_ d: R, _ bit: UInt8, _ comment: String = "") {
    let number = Operand.immediate(Immediate(bit, .byte), bytes: 1)
    sized("bt", [0x0F, 0xBA], R.size, digit: 4, [.rm(AnyRegister(d)), number], comment)
  }

  /// SETcc: the register becomes 1 if the condition holds, else 0.
  public mutating func setcc(_ condition: Condition, _ d: Reg8, _ comment: String = "") {
    let opcode: [UInt8] = [0x0F, 0x90 | condition.rawValue]
    sized("set\(condition.suffix)", opcode, .byte, digit: 0, [.rm(AnyRegister(d))], comment)
  }

  private mutating func unary<R: GeneralRegister>(_ operation: Unary, _ d: R, _ comment: String) {
    sized(
      operation.rawValue, operation.opcode, R.size, digit: operation.digit, [.rm(AnyRegister(d))], comment)
  }

  private mutating func unary(
    _ operation: Unary, _ size: OperandSize, _ d: Memory, lock: Bool = false, _ comment: String
  ) {
    let (name, prefix) = Self.names(operation.rawValue, lock)
    sized(name, prefix: prefix, operation.opcode, size, digit: operation.digit, [.memory(d, size)], comment)
  }

  /// D0 and D1 shift by one, C0 and C1 by a constant.
  private mutating func shift<R: GeneralRegister>(_ operation: Shift, _ d: R, _ count: UInt8, _ comment: String) {
    let amount = count == 1 ? Operand.implied("1") : .immediate(Immediate(count, .byte), bytes: 1)
    let opcode: UInt8 = count == 1 ? 0xD0 : 0xC0
    sized("\(operation)", opcode, R.size, digit: operation.rawValue, [.rm(AnyRegister(d)), amount], comment)
  }
}
