// Moving data: MOV, MOVZX, the stack, and the special registers (Intel SDM vol. 2, chapters 3 and 4).

extension Assembler {
  /// `mov register, register`.
  public mutating func mov<R: GeneralRegister>(_ d: R, _ s: R, _ comment: String = "") {
    sized("mov", 0x88, R.size, [.rm(AnyRegister(d)), .reg(AnyRegister(s))], comment)
  }

  /// `mov register, constant`, in the shortest encoding with the same effect: `mov r64` of an unsigned 32-bit value is
  /// written `mov r32`, which clears the upper half.
  public mutating func mov<R: GeneralRegister>(_ d: R, _ value: some BinaryInteger, _ comment: String = "") {
    guard R.size == .qword, mode == .bits64 else { return load(AnyRegister(d), Immediate(value, R.size), comment) }
    let wide = Immediate(value, .qword)
    if let signed = wide.signed, signed >= 0, signed < 1 << 32 {
      load(d.lowerHalf, Immediate(signed, .dword), comment)
    } else if wide.fits(signedBits: 32) {
      sized("mov", 0xC6, .qword, digit: 0, [.rm(AnyRegister(d)), .immediate(wide, bytes: 4)], comment)
    } else {
      load(AnyRegister(d), wide, name: "movabs", comment)
    }
  }

  /// `mov register, address of label`; `assemble()` throws if the address does not fit.
  ///
  /// A 64-bit register is loaded through its lower half if the program lies below 4 GiB.
  public mutating func mov<R: WideRegister>(_ d: R, _ label: Label, _ comment: String = "") {
    let low = R.size == .qword && mode == .bits64 && liesBelow4GiB
    let register = low ? d.lowerHalf : AnyRegister(d)
    let address = Operand.address(label, bytes: register.size.bytes)
    let name = register.size == .qword ? "movabs" : "mov"
    sized(name, [0xB8], register.size, [.low(register), address], comment)
  }

  /// `mov register, memory`.
  public mutating func mov<R: GeneralRegister>(_ d: R, _ s: Memory, _ comment: String = "") {
    sized("mov", 0x8A, R.size, [.reg(AnyRegister(d)), .memory(s, R.size)], comment)
  }

  /// `mov memory, register`.
  public mutating func mov<R: GeneralRegister>(_ d: Memory, _ s: R, _ comment: String = "") {
    sized("mov", 0x88, R.size, [.memory(d, R.size), .reg(AnyRegister(s))], comment)
  }

  /// `mov memory, constant`; a qword takes a sign-extended 32-bit constant.
  public mutating func mov(_ size: OperandSize, _ d: Memory, _ value: some BinaryInteger, _ comment: String = "") {
    let constant = Operand.immediate(Immediate(value, size), bytes: min(size.bytes, 4))
    sized("mov", 0xC6, size, digit: 0, [.memory(d, size), constant], comment)
  }

  /// `movzx register, narrower register`; `assemble()` throws unless the source has 8 or 16 bits and is narrower.
  public mutating func movzx<R: GeneralRegister>(_ d: some WideRegister, _ s: R, _ comment: String = "") {
    zeroExtend(AnyRegister(d), .rm(AnyRegister(s)), R.size, comment)
  }

  /// `movzx register, byte or word of memory`; `assemble()` throws unless the source is one, and narrower.
  public mutating func movzx(_ d: some WideRegister, _ size: OperandSize, _ s: Memory, _ comment: String = "") {
    zeroExtend(AnyRegister(d), .memory(s, size), size, comment)
  }

  private mutating func load(_ d: AnyRegister, _ value: Immediate, name: String = "mov", _ comment: String) {
    let opcode: UInt8 = d.size == .byte ? 0xB0 : 0xB8
    sized(name, [opcode], d.size, [.low(d), .immediate(value, bytes: d.size.bytes)], comment)
  }

  private mutating func zeroExtend(_ d: AnyRegister, _ s: Operand, _ size: OperandSize, _ comment: String) {
    let row = Instruction(
      name: "movzx", opcode: [0x0F, size.opcode(0xB6)], width: .sized(d.size), operands: [.reg(d), s])
    guard size.bytes <= 2, size.bytes < d.size.bytes else {
      return refuse(.impossible("the source must be a byte or a word, and narrower than the register", mode), row.text)
    }
    emit(row, comment)
  }
}

// The stack.
extension Assembler {
  /// `push register`.
  public mutating func push<R: WideRegister>(_ s: R, _ comment: String = "") {
    stack("push", [0x50], R.size, [.low(AnyRegister(s))], comment)
  }

  /// `push constant`, as wide as the mode's stack; 64-bit code takes a sign-extended 32-bit constant.
  public mutating func push(_ value: some BinaryInteger, _ comment: String = "") {
    let size = mode.nativeSize
    let constant = Immediate(value, size)
    let short = constant.fits(signedBits: 8)
    let operand = Operand.immediate(constant, bytes: short ? 1 : min(size.bytes, 4))
    stack("push", [short ? 0x6A : 0x68], size, [operand], comment)
  }

  /// `push memory`, as wide as the mode's stack.
  public mutating func push(_ s: Memory, _ comment: String = "") {
    stack("push", [0xFF], digit: 6, mode.nativeSize, [.memory(s, mode.nativeSize)], comment)
  }

  /// `pop register`.
  public mutating func pop<R: WideRegister>(_ d: R, _ comment: String = "") {
    stack("pop", [0x58], R.size, [.low(AnyRegister(d))], comment)
  }

  /// `pop memory`, as wide as the mode's stack.
  public mutating func pop(_ d: Memory, _ comment: String = "") {
    stack("pop", [0x8F], digit: 0, mode.nativeSize, [.memory(d, mode.nativeSize)], comment)
  }

  /// `pushf`: the flags, as wide as the mode's stack.
  public mutating func pushf(_ comment: String = "") { plain("pushf", [0x9C], comment) }
}

// Segment, control and debug registers.
extension Assembler {
  /// `mov segment register, register`; `assemble()` throws for cs.
  public mutating func mov<R: WideRegister>(_ d: SegmentRegister, _ s: R, _ comment: String = "") {
    let row = Instruction(
      name: "mov", opcode: [0x8E], width: .sized(R.size), operands: [.system(d.rawValue, "\(d)"), .rm(AnyRegister(s))])
    guard d != .cs else { return refuse(.impossible("cs is loaded by a far jump, not by mov", mode), row.text) }
    emit(row, comment)
  }

  /// `mov register, segment register`.
  public mutating func mov<R: WideRegister>(_ d: R, _ s: SegmentRegister, _ comment: String = "") {
    sized("mov", [0x8C], R.size, [.rm(AnyRegister(d)), .system(s.rawValue, "\(s)")], comment)
  }

  /// `mov control register, register`, as wide as the mode (32 bits in 16-bit code).
  public mutating func mov<R: WideRegister>(_ d: ControlRegister, _ s: R, _ comment: String = "") {
    native([0x0F, 0x22], R.size, [.system(d.rawValue, "\(d)"), .rm(AnyRegister(s))], comment)
  }

  /// `mov register, control register`, as wide as the mode (32 bits in 16-bit code).
  public mutating func mov<R: WideRegister>(_ d: R, _ s: ControlRegister, _ comment: String = "") {
    native([0x0F, 0x20], R.size, [.rm(AnyRegister(d)), .system(s.rawValue, "\(s)")], comment)
  }

  /// `mov debug register, register`, as wide as the mode (32 bits in 16-bit code).
  public mutating func mov<R: WideRegister>(_ d: DebugRegister, _ s: R, _ comment: String = "") {
    native([0x0F, 0x23], R.size, [.system(d.rawValue, "\(d)"), .rm(AnyRegister(s))], comment)
  }

  /// `mov register, debug register`, as wide as the mode (32 bits in 16-bit code).
  public mutating func mov<R: WideRegister>(_ d: R, _ s: DebugRegister, _ comment: String = "") {
    native([0x0F, 0x21], R.size, [.rm(AnyRegister(d)), .system(s.rawValue, "\(s)")], comment)
  }

  private mutating func native(_ opcode: [UInt8], _ size: OperandSize, _ operands: [Operand], _ comment: String) {
    emit(Instruction(name: "mov", opcode: opcode, width: .native(size), operands: operands), comment)
  }
}

extension GeneralRegister {
  /// The 32-bit register in this one's lower half.
  fileprivate var lowerHalf: AnyRegister { AnyRegister(Reg32.allCases[Int(number & 15)]) }
}
