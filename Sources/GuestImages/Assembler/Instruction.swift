// An instruction for the encoder and the listing: operands, each with the field that holds it. This is the
// "Op/En" column of the instruction pages (Intel SDM vol. 2, 3.1.1.4), so a method of the assembler is a row of the
// manual: mnemonic, opcode, digit, operands.

import Registers

/// A general-purpose register without its type.
struct AnyRegister: Hashable {
  let number: UInt8
  let size: OperandSize
  let name: String

  init<R: GeneralRegister>(_ register: R) {
    number = register.number
    size = R.size
    name = register.description
  }

  /// Whether the register needs a REX prefix, and so exists only in 64-bit code.
  var needsREX: Bool { number >= 8 || (size == .byte && number >= 4) }
}

/// A constant operand, for an operation of `size`: a value is valid if it fits there signed or unsigned.
struct Immediate {
  let size: OperandSize
  /// The value sign-extended from `size`, or nil if it does not fit.
  let signed: Int64?
  let text: String

  init(_ value: some BinaryInteger, _ size: OperandSize) {
    self.size = size
    let fits =
      Int128(exactly: value).map { $0 >= -(1 << (size.bits - 1)) && $0 < 1 << size.bits } ?? false
    let unused = 64 - size.bits
    let extended = (Int64(truncatingIfNeeded: value) << unused) >> unused
    signed = fits ? extended : nil
    let shown = UInt64(bitPattern: extended) & (UInt64.max >> unused)
    text = fits ? shown.hex : String(value)
  }

  /// Whether so many bits, sign-extended, give the value.
  func fits(signedBits bits: Int) -> Bool {
    guard let signed else { return false }
    return signed >= -(1 << (bits - 1)) && signed < 1 << (bits - 1)
  }
}

/// An operand and the field of the instruction that holds it.
enum Operand {
  /// A register in ModRM.rm.
  case rm(AnyRegister)
  /// Memory in ModRM.rm, and its size in the listing ("dword"), if any.
  case memory(Memory, String?)
  /// A register in ModRM.reg.
  case reg(AnyRegister)
  /// A segment, control or debug register in ModRM.reg.
  case system(UInt8, String)
  /// A register in the low bits of the opcode.
  case low(AnyRegister)
  /// A constant in so many bytes.
  case immediate(Immediate, bytes: Int)
  /// A label, as its distance from the next instruction.
  case relative(Label, bytes: Int)
  /// A label's address.
  case address(Label, bytes: Int)
  /// An operand that the opcode implies.
  case implied(String)

  static func memory(_ memory: Memory, _ size: OperandSize) -> Operand { .memory(memory, "\(size)") }

  var text: String {
    switch self {
    case .rm(let register), .reg(let register), .low(let register): register.name
    case .memory(let memory, let size): (size.map { "\($0) ptr " } ?? "") + memory.text
    case .system(_, let name), .implied(let name): name
    case .immediate(let value, _): value.text
    case .relative(let label, _), .address(let label, _): label.name
    }
  }

  var register: AnyRegister? {
    switch self {
    case .rm(let register), .reg(let register), .low(let register): register
    default: nil
    }
  }
}

/// An instruction to encode.
struct Instruction {
  /// Which prefixes the operation's size needs (SDM volume 1, 3.6).
  enum Width {
    /// The instruction has no operand size.
    case fixed
    /// 66h or REX.W if the size is not the mode's default.
    case sized(OperandSize)
    /// The same, but 64-bit code has 64 bits by default and no 32 bits: stack and branches.
    case stack(OperandSize)
    /// The width of an address in this mode, with no prefix: control and debug registers.
    case native(OperandSize)
  }

  var name: String
  var prefix: UInt8?
  var opcode: [UInt8]
  /// The opcode extension in ModRM.reg, "/digit" in the manual.
  var digit: UInt8?
  var width = Width.fixed
  var operands: [Operand] = []

  var text: String {
    let list = operands.map(\.text).joined(separator: ", ")
    return list.isEmpty ? name : "\(name) \(list)"
  }
}

extension OperandSize {
  /// The even opcode for bytes, or the odd one after it for the larger sizes: the "w" bit of SDM volume 2, B.1.4.3.
  func opcode(_ byteForm: UInt8) -> UInt8 { self == .byte ? byteForm : byteForm | 1 }
}
