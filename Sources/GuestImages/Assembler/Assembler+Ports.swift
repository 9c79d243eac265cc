// Ports and strings (Intel SDM vol. 2: IN, OUT, INS, OUTS, MOVS, STOS, LODS, REP).

extension Assembler {
  /// `in accumulator, port`.
  public mutating func `in`(_ d: Accumulator, _ port: UInt8, _ comment: String = "") {
    sized("in", 0xE4, d.size, [.implied("\(d)"), .port(port)], comment)
  }

  /// `in accumulator, dx`.
  public mutating func `in`(_ d: Accumulator, _ port: PortRegister, _ comment: String = "") {
    sized("in", 0xEC, d.size, [.implied("\(d)"), .implied("\(port)")], comment)
  }

  /// `out port, accumulator`.
  public mutating func out(_ port: UInt8, _ s: Accumulator, _ comment: String = "") {
    sized("out", 0xE6, s.size, [.port(port), .implied("\(s)")], comment)
  }

  /// `out dx, accumulator`.
  public mutating func out(_ port: PortRegister, _ s: Accumulator, _ comment: String = "") {
    sized("out", 0xEE, s.size, [.implied("\(port)"), .implied("\(s)")], comment)
  }

  /// One step of a string instruction; the 64-bit ones exist in 64-bit code only.
  public mutating func string(_ operation: StringOperation, _ comment: String = "") {
    sized(operation.rawValue, operation.opcode, operation.size, [], comment)
  }

  /// As many steps of a string instruction as the mode's cx register says.
  public mutating func rep(_ operation: StringOperation, _ comment: String = "") {
    sized("rep " + operation.rawValue, prefix: 0xF3, operation.opcode, operation.size, [], comment)
  }
}

extension Operand {
  fileprivate static func port(_ number: UInt8) -> Operand { .immediate(Immediate(number, .byte), bytes: 1) }
}

extension StringOperation {
  fileprivate var opcode: UInt8 {
    switch self {
    case .insb, .insw, .insd: 0x6C
    case .outsb, .outsw, .outsd: 0x6E
    case .movsb, .movsw, .movsd, .movsq: 0xA4
    case .stosb, .stosw, .stosd, .stosq: 0xAA
    case .lodsb, .lodsw, .lodsd, .lodsq: 0xAC
    }
  }

  fileprivate var size: OperandSize {
    switch self {
    case .insb, .outsb, .movsb, .stosb, .lodsb: .byte
    case .insw, .outsw, .movsw, .stosw, .lodsw: .word
    case .insd, .outsd, .movsd, .stosd, .lodsd: .dword
    case .movsq, .stosq, .lodsq: .qword
    }
  }
}
