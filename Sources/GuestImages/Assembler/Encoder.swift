// From an instruction to bytes: legacy prefixes, REX, opcode, ModRM, SIB, displacement, immediates, in this order
// (Intel SDM vol. 2, figures 2-1 and 2-3). The only place that writes them.

/// A field to be completed when the labels are known.
struct Fixup {
  enum Kind: Hashable {
    /// The distance from the end of the instruction.
    case relative(Label)
    /// The address itself; sign-extended if 64-bit code uses it as a displacement.
    case address(Label, signExtended: Bool)
  }
  var kind: Kind
  /// Where the field starts, counted from the start of the instruction.
  var offset: Int
  var bytes: Int
  /// What is added to the label's address.
  var addend: Int64 = 0
}

/// An instruction's bytes.
struct Encoding {
  private(set) var bytes: [UInt8] = []
  private(set) var fixups: [Fixup] = []
  private let mode: CodeMode

  /// Fails if the instruction cannot be expressed in this mode.
  init(_ instruction: Instruction, in mode: CodeMode) throws(AssemblyError.Problem) {
    self.mode = mode
    try Self.check(instruction.operands, mode)
    let (sizePrefix, rexW) = try Self.sizePrefixes(instruction.width, mode)
    let fields = try Fields(instruction, mode)

    if let segment = fields.segment { bytes.append(Self.overrides[Int(segment.rawValue)]) }
    if fields.address?.overridesSize ?? false { bytes.append(0x67) }
    if sizePrefix { bytes.append(0x66) }
    if let prefix = instruction.prefix { bytes.append(prefix) }
    let rex = fields.rex | (rexW ? 0x48 : 0)
    if rex != 0 { bytes.append(rex) }
    bytes += instruction.opcode.dropLast() + instruction.opcode.suffix(1).map { $0 | fields.low }
    appendModRM(fields)
    for operand in instruction.operands { try append(operand) }
  }

  /// The segment override prefixes, in the order of the segment registers' numbers.
  private static let overrides: [UInt8] = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65]

  /// Refuses registers that the mode does not have.
  private static func check(_ operands: [Operand], _ mode: CodeMode) throws(AssemblyError.Problem) {
    guard mode != .bits64 else { return }
    for case let register? in operands.map(\.register) where register.needsREX || register.size == .qword {
      throw .impossible("register \(register.name) exists in 64-bit code only", mode)
    }
  }

  /// Whether the operation's size needs 66h or REX.W.
  private static func sizePrefixes(
    _ width: Instruction.Width, _ mode: CodeMode
  ) throws(AssemblyError.Problem) -> (operandSize: Bool, rexW: Bool) {
    switch width {
    case .fixed, .sized(.byte): return (false, false)
    case .sized(.qword), .stack(.qword), .native(.qword):
      guard mode == .bits64 else { throw .impossible("a 64-bit operand exists in 64-bit code only", mode) }
      if case .sized = width { return (false, true) }
      return (false, false)
    case .sized(let size): return ((size == .word) != (mode == .bits16), false)
    case .stack(let size):
      guard mode != .bits64 || size == .word else {
        throw .impossible("this operand must have 64 or 16 bits in 64-bit code", mode)
      }
      return ((size == .word) != (mode == .bits16), false)
    case .native(let size):
      guard mode != .bits64, size == .dword else {
        throw .impossible("control and debug registers move to and from registers of the mode's full width", mode)
      }
      return (false, false)
    }
  }

  private mutating func appendModRM(_ fields: Fields) {
    guard let modRM = fields.modRM else { return }
    bytes.append(modRM)
    guard let address = fields.address else { return }
    if let sib = address.sib { bytes.append(sib) }
    if let label = address.label {
      fixups.append(
        Fixup(kind: label, offset: bytes.count, bytes: address.displacementBytes, addend: address.displacement))
      append(0, bytes: address.displacementBytes)
    } else {
      append(address.displacement, bytes: address.displacementBytes)
    }
  }

  /// Appends an operand's bytes after the ModRM part.
  private mutating func append(_ operand: Operand) throws(AssemblyError.Problem) {
    switch operand {
    case .rm, .memory, .reg, .system, .low, .implied: break
    case .immediate(let value, let count):
      guard let signed = value.signed, count == value.size.bytes || value.fits(signedBits: count * 8) else {
        throw .valueOutOfRange("the constant \(value.text) does not fit \(count * 8) bits")
      }
      append(signed, bytes: count)
    case .relative(let label, let count): appendFixup(.relative(label), bytes: count)
    case .address(let label, let count): appendFixup(.address(label, signExtended: false), bytes: count)
    }
  }

  private mutating func appendFixup(_ kind: Fixup.Kind, bytes count: Int) {
    fixups.append(Fixup(kind: kind, offset: bytes.count, bytes: count))
    append(0, bytes: count)
  }

  private mutating func append(_ value: Int64, bytes count: Int) {
    bytes += value.littleEndianBytes(count)
  }
}

/// The fields that registers and memory fill: REX, the opcode's low bits, ModRM, and the rest of the address.
private struct Fields {
  var rex: UInt8 = 0
  var low: UInt8 = 0
  var modRM: UInt8?
  var address: AddressEncoding?
  var segment: SegmentRegister?

  init(_ instruction: Instruction, _ mode: CodeMode) throws(AssemblyError.Problem) {
    if let digit = instruction.digit { modRM = digit << 3 }
    for operand in instruction.operands {
      switch operand {
      case .rm(let register):
        modRM = (modRM ?? 0) | 0b1100_0000 | register.number & 7
        extend(register, bit: 0)
      case .reg(let register):
        modRM = (modRM ?? 0) | (register.number & 7) << 3
        extend(register, bit: 2)
      case .system(let number, _): modRM = (modRM ?? 0) | number << 3
      case .low(let register):
        low = register.number & 7
        extend(register, bit: 0)
      case .memory(let memory, _):
        let encoded = try AddressEncoding(memory, in: mode)
        if mode != .bits64, [memory.base, memory.index].contains(where: { $0?.needsREX ?? false }) {
          throw .impossible("a register in \(memory.text) exists in 64-bit code only", mode)
        }
        modRM = (modRM ?? 0) | encoded.modRM
        memory.base.map { extend($0, bit: 0) }
        memory.index.map { extend($0, bit: 1) }
        address = encoded
        segment = memory.segment
      case .immediate, .relative, .address, .implied: break
      }
    }
  }

  /// Sets the register's REX bit: B is bit 0, X bit 1, R bit 2.
  private mutating func extend(_ register: AnyRegister, bit: UInt8) {
    if register.needsREX { rex |= 0x40 }
    if register.number >= 8 { rex |= 1 << bit }
  }
}

extension FixedWidthInteger {
  /// The low bytes, lowest first.
  func littleEndianBytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
  }
}
