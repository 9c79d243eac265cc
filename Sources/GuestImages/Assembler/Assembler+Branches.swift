// Jumps, calls and returns (Intel SDM vol. 2: JMP, Jcc, CALL, RET, LOOP, IRET). A branch back takes the 8-bit form when
// it reaches; a branch ahead is near unless `.short` is asked for.

extension Assembler {
  /// `jmp label`; `assemble()` throws if the label is undefined or out of reach.
  public mutating func jmp(_ target: Label, _ comment: String = "") {
    branch("jmp", short: [0xEB], near: [0xE9], target, nil, comment)
  }

  /// `jmp label` in the form asked for; `assemble()` throws if the label is undefined or out of reach.
  public mutating func jmp(_ reach: Reach, _ target: Label, _ comment: String = "") {
    branch("jmp", short: [0xEB], near: [0xE9], target, reach, comment)
  }

  /// A jump on a condition; `assemble()` throws if the label is undefined or out of reach.
  public mutating func jcc(_ condition: Condition, _ target: Label, _ comment: String = "") {
    branch(condition, target, nil, comment)
  }

  /// A jump on a condition in the form asked for; `assemble()` throws if the label is undefined or out of reach.
  public mutating func jcc(_ reach: Reach, _ condition: Condition, _ target: Label, _ comment: String = "") {
    branch(condition, target, reach, comment)
  }

  /// `call label`; `assemble()` throws if the label is undefined or out of reach.
  public mutating func call(_ target: Label, _ comment: String = "") {
    branch("call", short: nil, near: [0xE8], target, .near, comment)
  }

  /// `loop label`: counts the mode's cx register down and jumps unless it is zero; 8-bit displacements only.
  public mutating func loop(_ target: Label, _ comment: String = "") {
    branch("loop", short: [0xE2], near: [], target, .short, comment)
  }

  /// `jmp register`.
  public mutating func jmp<R: WideRegister>(_ target: R, _ comment: String = "") {
    indirect("jmp", digit: 4, R.size, .rm(AnyRegister(target)), comment)
  }

  /// `jmp [memory]`, to the address stored there, as wide as the mode.
  public mutating func jmp(_ target: Memory, _ comment: String = "") {
    indirect("jmp", digit: 4, mode.nativeSize, .memory(target, mode.nativeSize), comment)
  }

  /// `call register`.
  public mutating func call<R: WideRegister>(_ target: R, _ comment: String = "") {
    indirect("call", digit: 2, R.size, .rm(AnyRegister(target)), comment)
  }

  /// `call [memory]`, to the address stored there, as wide as the mode.
  public mutating func call(_ target: Memory, _ comment: String = "") {
    indirect("call", digit: 2, mode.nativeSize, .memory(target, mode.nativeSize), comment)
  }

  /// `ret`: near return.
  public mutating func ret(_ comment: String = "") { plain("ret", [0xC3], comment) }

  /// `retf`: far return; offset and selector are 16 bits wide in 16-bit code, 32 bits elsewhere.
  public mutating func retf(_ comment: String = "") { plain("retf", [0xCB], comment) }

  /// `iretw`: interrupt return with 16-bit slots, as real mode uses it.
  public mutating func iretw(_ comment: String = "") { sized("iretw", [0xCF], .word, [], comment) }

  /// `iretq`: interrupt return with 64-bit slots; 64-bit code only.
  public mutating func iretq(_ comment: String = "") { sized("iretq", [0xCF], .qword, [], comment) }

  private mutating func branch(_ condition: Condition, _ target: Label, _ reach: Reach?, _ comment: String) {
    let code = condition.rawValue
    branch("j\(condition.suffix)", short: [0x70 | code], near: [0x0F, 0x80 | code], target, reach, comment)
  }

  /// A branch in the form asked for, else in the shortest that is known to reach.
  private mutating func branch(
    _ name: String, short: [UInt8]?, near: [UInt8], _ target: Label, _ reach: Reach?, _ comment: String
  ) {
    let reach = reach ?? (reachesBack(target, jumpLength: 2) ? .short : .near)
    if reach == .short, let short {
      emit(Instruction(name: name, opcode: short, operands: [.relative(target, bytes: 1)]), comment)
    } else {
      let bytes = mode == .bits16 ? 2 : 4
      emit(Instruction(name: name, opcode: near, operands: [.relative(target, bytes: bytes)]), comment)
    }
  }

  private mutating func indirect(
    _ name: String, digit: UInt8, _ size: OperandSize, _ operand: Operand, _ comment: String
  ) {
    guard mode != .bits64 || size == .qword else {
      let row = Instruction(name: name, opcode: [0xFF], operands: [operand])
      return refuse(.impossible("a branch in 64-bit code goes through 64 bits", mode), row.text)
    }
    stack(name, [0xFF], digit: digit, size, [operand], comment)
  }
}
