// The common forms of the manual's rows; the instructions' methods call one of these with its numbers.

extension Assembler {
  /// No operand, no size: `opcode` alone.
  mutating func plain(_ name: String, prefix: UInt8? = nil, _ opcode: [UInt8], _ comment: String) {
    emit(Instruction(name: name, prefix: prefix, opcode: opcode), comment)
  }

  /// Operands of one size, for which `opcode` is the byte form and the odd opcode after it the wider one.
  mutating func sized(
    _ name: String, prefix: UInt8? = nil, _ opcode: UInt8, _ size: OperandSize, digit: UInt8? = nil,
    _ operands: [Operand], _ comment: String
  ) {
    sized(name, prefix: prefix, [size.opcode(opcode)], size, digit: digit, operands, comment)
  }

  /// Operands of one size, and an opcode that is the same for each.
  mutating func sized(
    _ name: String, prefix: UInt8? = nil, _ opcode: [UInt8], _ size: OperandSize, digit: UInt8? = nil,
    _ operands: [Operand], _ comment: String
  ) {
    emit(
      Instruction(name: name, prefix: prefix, opcode: opcode, digit: digit, width: .sized(size), operands: operands),
      comment)
  }

  /// An operand of the stack or a branch, 64 bits wide in 64-bit code without a prefix.
  mutating func stack(
    _ name: String, _ opcode: [UInt8], digit: UInt8? = nil, _ size: OperandSize, _ operands: [Operand],
    _ comment: String
  ) {
    emit(Instruction(name: name, opcode: opcode, digit: digit, width: .stack(size), operands: operands), comment)
  }
}
