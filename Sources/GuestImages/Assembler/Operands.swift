// The parts of operands besides registers: the mode of the code, sizes, labels and conditions (Intel SDM vol. 1,
// 3.1 and 3.6, for modes and the default sizes; vol. 2, appendix B, table B-10, for the condition codes).

/// The mode of the code, which decides how an instruction is encoded and whether it exists.
public enum CodeMode: UInt8, Hashable, Sendable, CaseIterable {
  case bits16 = 16, bits32 = 32, bits64 = 64

  /// The width of an address, a stack slot and a branch operand unless a prefix says otherwise.
  var nativeSize: OperandSize {
    switch self {
    case .bits16: .word
    case .bits32: .dword
    case .bits64: .qword
    }
  }
}

/// The size of an operand; the raw value is in bytes.
public enum OperandSize: Int, Hashable, Sendable, CaseIterable {
  case byte = 1, word = 2, dword = 4, qword = 8

  var bytes: Int { rawValue }
  var bits: Int { rawValue * 8 }
}

/// The name of an address in a program.
public struct Label: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The name, which appears in the listing and in errors.
  public let name: String

  /// A label of this name.
  public init(_ name: String) { self.name = name }

  /// A label of this name.
  public init(stringLiteral name: String) { self.name = name }

  /// The name.
  public var description: String { name }
}

/// A condition of a conditional jump; the raw value is its code.
public enum Condition: UInt8, Hashable, Sendable, CaseIterable {
  case overflow, notOverflow, below, aboveOrEqual, equal, notEqual, belowOrEqual, above
  case sign, notSign, parity, notParity, less, greaterOrEqual, lessOrEqual, greater

  /// The zero flag is set: another name of `equal`.
  public static var zero: Self { .equal }
  /// The zero flag is clear: another name of `notEqual`.
  public static var notZero: Self { .notEqual }
  /// The carry flag is clear: another name of `aboveOrEqual`.
  public static var notCarry: Self { .aboveOrEqual }

  private static let suffixes = [
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
  ]
  var suffix: String { Self.suffixes[Int(rawValue)] }
}

/// How far a jump's encoding reaches.
public enum Reach: Hashable, Sendable, CaseIterable {
  /// An 8-bit displacement: 128 bytes back to 127 bytes ahead of the next instruction.
  case short
  /// A 16-bit displacement in 16-bit code, a 32-bit one elsewhere.
  case near
}

/// The factor that an index register is multiplied by; the raw value is its encoding.
public enum Scale: UInt8, Hashable, Sendable, CaseIterable {
  case x1, x2, x4, x8
}

/// What a string instruction does to one element: the name that the listing shows.
public enum StringOperation: String, Hashable, Sendable, CaseIterable {
  case insb, insw, insd, outsb, outsw, outsd
  case movsb, movsw, movsd, movsq, stosb, stosw, stosd, stosq, lodsb, lodsw, lodsd, lodsq
}
