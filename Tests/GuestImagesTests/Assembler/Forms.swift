// What there is to check: a form is a method of the assembler with operands, and the modes that have it.

import GuestImages

/// Instructions of one method, and the modes they exist in; elsewhere they must be refused.
struct Form: Sendable {
  let signature: String
  let modes: Set<CodeMode>
  let emit: @Sendable (inout Assembler) -> Void

  init(_ signature: String, in modes: Set<CodeMode> = .all, _ emit: @escaping @Sendable (inout Assembler) -> Void) {
    self.signature = signature
    self.modes = modes
    self.emit = emit
  }

  static let all = moves + stack + specialRegisters + addresses + arithmetic + bits + branches + system + ports
}

extension Set<CodeMode> {
  static let all: Set = [.bits16, .bits32, .bits64]
  static let only64: Set = [.bits64]
  static let not64: Set = [.bits16, .bits32]
}

extension GeneralRegister {
  /// The modes that have this register.
  var modes: Set<CodeMode> {
    Self.size == .qword || number >= 8 || (Self.size == .byte && number >= 4) ? .only64 : .all
  }
}

/// A form for each register of a type, in the modes that have the register and are among `modes`.
func each<R: GeneralRegister>(
  _ type: R.Type, _ signature: String, in modes: Set<CodeMode> = .all,
  _ emit: @escaping @Sendable (inout Assembler, R) -> Void
) -> [Form] {
  R.allCases.map { register in
    Form(signature, in: modes.intersection(register.modes)) { emit(&$0, register) }
  }
}

/// A form for each value.
func each<Value: Sendable>(
  _ values: some Sequence<Value>, _ signature: String, in modes: Set<CodeMode> = .all,
  _ emit: @escaping @Sendable (inout Assembler, Value) -> Void
) -> [Form] {
  values.map { value in Form(signature, in: modes) { emit(&$0, value) } }
}

/// Constants around the limits of signed and unsigned fields that hold so many bits or fewer.
func boundaries(_ bits: Int) -> [Int128] {
  let near: [Int128] = [8, 16, 32, 64].filter { $0 <= bits }.flatMap { width -> [Int128] in
    let half = Int128(1) << (width - 1)
    return [-half - 1, -half, half - 1, half, 2 * half - 1, 2 * half]
  }
  let all: ClosedRange<Int128> = -(1 << (bits - 1))...(1 << bits) - 1
  return ([0, 1, -1, 0x12] + near).filter(all.contains)
}

/// Constants around the same limits that a sign-extended 32-bit field holds.
let signedBoundaries = boundaries(64).filter { $0 >= -0x8000_0000 && $0 <= 0x7FFF_FFFF }
