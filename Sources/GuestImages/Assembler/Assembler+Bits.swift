// Operations on one register: INC, DEC, SHL, BT, BTS (Intel SDM vol. 2).

extension Assembler {
  /// `inc register`.
  public mutating func inc<R: GeneralRegister>(_ d: R, _ comment: String = "") {
    sized("inc", 0xFE, R.size, digit: 0, [.rm(AnyRegister(d))], comment)
  }

  /// `dec register`.
  public mutating func dec<R: GeneralRegister>(_ d: R, _ comment: String = "") {
    sized("dec", 0xFE, R.size, digit: 1, [.rm(AnyRegister(d))], comment)
  }

  /// `shl register, count`; D0 and D1 shift by one, C0 and C1 by a constant.
  public mutating func shl<R: GeneralRegister>(_ d: R, _ count: UInt8, _ comment: String = "") {
    let amount = count == 1 ? Operand.implied("1") : .immediate(Immediate(count, .byte), bytes: 1)
    sized("shl", count == 1 ? 0xD0 : 0xC0, R.size, digit: 4, [.rm(AnyRegister(d)), amount], comment)
  }

  /// `bt register, bit`: the bit goes to the carry flag.
  public mutating func bt<R: WideRegister>(_ d: R, _ bit: UInt8, _ comment: String = "") {
    let number = Operand.immediate(Immediate(bit, .byte), bytes: 1)
    sized("bt", [0x0F, 0xBA], R.size, digit: 4, [.rm(AnyRegister(d)), number], comment)
  }

  /// `bts register, bit`: the bit goes to the carry flag, and is set.
  public mutating func bts<R: WideRegister>(_ d: R, _ bit: UInt8, _ comment: String = "") {
    let number = Operand.immediate(Immediate(bit, .byte), bytes: 1)
    sized("bts", [0x0F, 0xBA], R.size, digit: 5, [.rm(AnyRegister(d)), number], comment)
  }
}
