// The register operands. A register's number is its place in the array of names: the number that ModRM, SIB and the
// opcode's low bits hold, with REX's bit as its fourth (Intel SDM vol. 2, 2.1.5 and 2.2.1).

/// A general-purpose register; the type is its width, so that operands of different widths do not compile together.
public protocol GeneralRegister: Hashable, Sendable, CustomStringConvertible, CaseIterable
where AllCases == [Self] {
  /// The number that the instruction encodes, 0 to 15.
  var number: UInt8 { get }
  /// The width of every register of this type.
  static var size: OperandSize { get }
}

/// A general-purpose register of 16 bits or more: one that can hold an address or be pushed.
public protocol WideRegister: GeneralRegister {}

/// A 64-bit general-purpose register (exists in 64-bit code only).
public struct Reg64: WideRegister {
  /// The number that the instruction encodes, 0 to 15.
  public let number: UInt8

  fileprivate init(_ number: UInt8) { self.number = number }

  private static let names = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
  ]
  /// The width.
  public static let size = OperandSize.qword
  /// Every register of this width, in the order of their numbers.
  public static let allCases = names.indices.map { Self(UInt8($0)) }
  /// The name in Intel's syntax.
  public var description: String { Self.names[Int(number)] }
}

/// A 32-bit general-purpose register (r8d and above in 64-bit code only).
public struct Reg32: WideRegister {
  /// The number that the instruction encodes, 0 to 15.
  public let number: UInt8

  fileprivate init(_ number: UInt8) { self.number = number }

  private static let names = [
    "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
    "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d",
  ]
  /// The width.
  public static let size = OperandSize.dword
  /// Every register of this width, in the order of their numbers.
  public static let allCases = names.indices.map { Self(UInt8($0)) }
  /// The name in Intel's syntax.
  public var description: String { Self.names[Int(number)] }
}

/// A 16-bit general-purpose register (r8w and above in 64-bit code only).
public struct Reg16: WideRegister {
  /// The number that the instruction encodes, 0 to 15.
  public let number: UInt8

  fileprivate init(_ number: UInt8) { self.number = number }

  private static let names = [
    "ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
    "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w",
  ]
  /// The width.
  public static let size = OperandSize.word
  /// Every register of this width, in the order of their numbers.
  public static let allCases = names.indices.map { Self(UInt8($0)) }
  /// The name in Intel's syntax.
  public var description: String { Self.names[Int(number)] }
}

/// A 8-bit general-purpose register (spl and above in 64-bit code only; ah, ch, dh and bh are not offered).
public struct Reg8: GeneralRegister {
  /// The number that the instruction encodes, 0 to 15.
  public let number: UInt8

  fileprivate init(_ number: UInt8) { self.number = number }

  private static let names = [
    "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil",
    "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b",
  ]
  /// The width.
  public static let size = OperandSize.byte
  /// Every register of this width, in the order of their numbers.
  public static let allCases = names.indices.map { Self(UInt8($0)) }
  /// The name in Intel's syntax.
  public var description: String { Self.names[Int(number)] }
}

/// A segment register, in the order of its encoding.
public enum SegmentRegister: UInt8, Hashable, Sendable, CaseIterable {
  case es, cs, ss, ds, fs, gs
}

/// A control register; the raw value is its encoding.
public enum ControlRegister: UInt8, Hashable, Sendable, CaseIterable {
  case cr0 = 0, cr2 = 2, cr3 = 3, cr4 = 4
}

/// A debug register; the raw value is its encoding.
public enum DebugRegister: UInt8, Hashable, Sendable, CaseIterable {
  case dr0 = 0, dr1 = 1, dr2 = 2, dr3 = 3, dr6 = 6, dr7 = 7
}

/// The register that IN and OUT move data through.
public enum Accumulator: Hashable, Sendable, CaseIterable {
  case al, ax, eax

  var size: OperandSize {
    switch self {
    case .al: .byte
    case .ax: .word
    case .eax: .dword
    }
  }
}

/// The register that IN and OUT take a port number from.
public enum PortRegister: Hashable, Sendable, CaseIterable {
  case dx
}

// The names that operands are written with: `.rax` wherever a register is expected.

extension GeneralRegister where Self == Reg64 {
  public static var rax: Self { Self(0) }
  public static var rcx: Self { Self(1) }
  public static var rdx: Self { Self(2) }
  public static var rbx: Self { Self(3) }
  public static var rsp: Self { Self(4) }
  public static var rbp: Self { Self(5) }
  public static var rsi: Self { Self(6) }
  public static var rdi: Self { Self(7) }
  public static var r8: Self { Self(8) }
  public static var r9: Self { Self(9) }
  public static var r10: Self { Self(10) }
  public static var r11: Self { Self(11) }
  public static var r12: Self { Self(12) }
  public static var r13: Self { Self(13) }
  public static var r14: Self { Self(14) }
  public static var r15: Self { Self(15) }
}

extension GeneralRegister where Self == Reg32 {
  public static var eax: Self { Self(0) }
  public static var ecx: Self { Self(1) }
  public static var edx: Self { Self(2) }
  public static var ebx: Self { Self(3) }
  public static var esp: Self { Self(4) }
  public static var ebp: Self { Self(5) }
  public static var esi: Self { Self(6) }
  public static var edi: Self { Self(7) }
  public static var r8d: Self { Self(8) }
  public static var r9d: Self { Self(9) }
  public static var r10d: Self { Self(10) }
  public static var r11d: Self { Self(11) }
  public static var r12d: Self { Self(12) }
  public static var r13d: Self { Self(13) }
  public static var r14d: Self { Self(14) }
  public static var r15d: Self { Self(15) }
}

extension GeneralRegister where Self == Reg16 {
  public static var ax: Self { Self(0) }
  public static var cx: Self { Self(1) }
  public static var dx: Self { Self(2) }
  public static var bx: Self { Self(3) }
  public static var sp: Self { Self(4) }
  public static var bp: Self { Self(5) }
  public static var si: Self { Self(6) }
  public static var di: Self { Self(7) }
  public static var r8w: Self { Self(8) }
  public static var r9w: Self { Self(9) }
  public static var r10w: Self { Self(10) }
  public static var r11w: Self { Self(11) }
  public static var r12w: Self { Self(12) }
  public static var r13w: Self { Self(13) }
  public static var r14w: Self { Self(14) }
  public static var r15w: Self { Self(15) }
}

extension GeneralRegister where Self == Reg8 {
  public static var al: Self { Self(0) }
  public static var cl: Self { Self(1) }
  public static var dl: Self { Self(2) }
  public static var bl: Self { Self(3) }
  public static var spl: Self { Self(4) }
  public static var bpl: Self { Self(5) }
  public static var sil: Self { Self(6) }
  public static var dil: Self { Self(7) }
  public static var r8b: Self { Self(8) }
  public static var r9b: Self { Self(9) }
  public static var r10b: Self { Self(10) }
  public static var r11b: Self { Self(11) }
  public static var r12b: Self { Self(12) }
  public static var r13b: Self { Self(13) }
  public static var r14b: Self { Self(14) }
  public static var r15b: Self { Self(15) }
}
