// ModRM, SIB and displacement of a memory operand: Intel SDM vol. 2, 2.1.5, tables 2-1 (16-bit addresses), 2-2 (32-bit
// ModRM) and 2-3 (SIB), and 2.2.1.6 for RIP-relative addresses.

/// A memory operand as the fields of an instruction.
struct AddressEncoding {
  /// Whether the address needs prefix 67h, because its width is not the mode's own.
  var overridesSize = false
  /// ModRM without the reg field.
  var modRM: UInt8
  var sib: UInt8?
  var displacement: Int64 = 0
  var displacementBytes = 0
  /// The label that completes the displacement.
  var label: Fixup.Kind?

  /// Fails if the operand cannot be expressed in this mode.
  init(_ memory: Memory, in mode: CodeMode) throws(AssemblyError.Problem) {
    if mode == .bits64, let segment = memory.segment, segment != .fs, segment != .gs {
      throw .impossible("64-bit code ignores the segment \(segment); only fs and gs have a base there", mode)
    }
    let size = try Self.addressSize(of: memory, in: mode)
    let displacement = try Self.displacement(of: memory, size)
    self.init(modRM: 0)
    overridesSize = size != mode.nativeSize
    self.displacement = displacement

    if size == .word {
      modRM = try Self.words(memory, mode)
    } else if memory.base == nil, memory.index == nil {
      switch (memory.origin, mode) {
      case (.instructionPointer, .bits64), (_, .bits16), (_, .bits32): modRM = 0b101
      case (_, .bits64): (modRM, sib) = (0b100, 0x25)
      }
    } else {
      (modRM, sib) = try Self.registers(memory, mode)
    }
    setDisplacement(memory, size)
  }

  private init(modRM: UInt8) { self.modRM = modRM }

  /// The address width: that of the registers, else the mode's own (or 32 bits if 16-bit code needs it).
  private static func addressSize(of memory: Memory, in mode: CodeMode) throws(AssemblyError.Problem) -> OperandSize {
    if case .instructionPointer = memory.origin, mode != .bits64 {
      throw .impossible("a rip-relative address exists in 64-bit code only", mode)
    }
    guard let size = (memory.base ?? memory.index)?.size else {
      let fitsWord = memory.origin != .registers || (-0x8000..<0x1_0000).contains(memory.displacement)
      return mode == .bits16 && !fitsWord ? .dword : mode.nativeSize
    }
    if mode == .bits64, size == .word {
      throw .impossible("64-bit code has no 16-bit addresses", mode)
    }
    if mode != .bits64, size == .qword {
      throw .impossible("a 64-bit address register exists in 64-bit code only", mode)
    }
    return size
  }

  /// The displacement sign-extended from its field.
  private static func displacement(of memory: Memory, _ size: OperandSize) throws(AssemblyError.Problem) -> Int64 {
    let bits = size == .word ? 16 : 32
    let value = Immediate(memory.displacement, size == .qword ? .qword : size)
    guard let signed = value.signed, size != .qword || value.fits(signedBits: 32) else {
      throw .valueOutOfRange("the displacement in \(memory.text) does not fit \(bits) bits")
    }
    return signed
  }

  /// Table 2-1: the eight combinations of bx, bp, si and di.
  private static func words(_ memory: Memory, _ mode: CodeMode) throws(AssemblyError.Problem) -> UInt8 {
    let names = [memory.base?.name, memory.index?.name].compactMap { $0 }
    guard !names.isEmpty else { return 0b110 }
    let combinations = [["bx", "si"], ["bx", "di"], ["bp", "si"], ["bp", "di"], ["si"], ["di"], ["bp"], ["bx"]]
    guard memory.scale == .x1, let code = combinations.firstIndex(of: names) else {
      throw .impossible("\(memory.text) is not a 16-bit address: bx or bp, plus si or di", mode)
    }
    return UInt8(code)
  }

  /// Tables 2-2 and 2-3, without the mod field.
  private static func registers(
    _ memory: Memory, _ mode: CodeMode
  ) throws(AssemblyError.Problem) -> (modRM: UInt8, sib: UInt8?) {
    if memory.index?.number == 4 {
      throw .impossible("\(memory.index?.name ?? "sp") cannot be an index", mode)
    }
    let base = (memory.base?.number ?? 0b101) & 7
    guard memory.index != nil || base == 0b100 else { return (base, nil) }
    let index = (memory.index?.number ?? 0b100) & 7
    return (0b100, memory.scale.rawValue << 6 | index << 3 | base)
  }

  /// Chooses mod and the displacement's width.
  private mutating func setDisplacement(_ memory: Memory, _ size: OperandSize) {
    let wide = size == .word ? 2 : 4
    switch memory.origin {
    case .label(let label): self.label = .address(label, signExtended: size == .qword)
    case .instructionPointer(let label): self.label = .relative(label)
    case .registers: break
    }
    guard let base = memory.base else {
      displacementBytes = wide  // mod 00 with no base: always the wide form
      return
    }
    // mod 00 with this base would mean "no base": [bp] and [ebp], [rbp], [r13] are written with a zero byte.
    let needsOne = size == .word ? modRM == 0b110 : base.number & 7 == 0b101
    if displacement == 0, !needsOne { return }
    let fitsByte = (-128...127).contains(displacement)
    displacementBytes = fitsByte ? 1 : wide
    modRM |= fitsByte ? 0b0100_0000 : 0b1000_0000
  }
}
