// Memory operands. AddressEncoding.swift decides what can be encoded.

import Registers

/// A memory operand: registers, a displacement or a label, and optionally a segment.
///
/// Whether the parts are valid in the code's mode is checked when the instruction is encoded; `Assembler.assemble()`
/// throws the error.
public struct Memory: Hashable, Sendable {
  /// What the displacement counts from.
  enum Origin: Hashable {
    case registers, label(Label), instructionPointer(Label)
  }

  var base: AnyRegister?
  var index: AnyRegister?
  var scale = Scale.x1
  var displacement: Int128
  var origin = Origin.registers
  var segment: SegmentRegister?

  /// `[base + displacement]`.
  public static func at(_ base: some WideRegister, _ displacement: Int = 0) -> Memory {
    Memory(base: AnyRegister(base), displacement: Int128(displacement))
  }

  /// `[base + index * scale + displacement]`; index and base are of one width.
  public static func at<R: WideRegister>(
    _ base: R, index: R, scale: Scale = .x1, _ displacement: Int = 0
  ) -> Memory {
    Memory(
      base: AnyRegister(base), index: AnyRegister(index), scale: scale, displacement: Int128(displacement))
  }

  /// `[index * scale + displacement]`.
  public static func at(index: some WideRegister, scale: Scale, _ displacement: Int = 0) -> Memory {
    Memory(index: AnyRegister(index), scale: scale, displacement: Int128(displacement))
  }

  /// `[address]`; in 64-bit code the lowest and the highest 2 GiB can be reached.
  public static func absolute(_ address: some BinaryInteger) -> Memory {
    Memory(displacement: Int128(clamping: address))
  }

  /// `[label + offset]` as an absolute address.
  public static func absolute(_ label: Label, _ offset: Int = 0) -> Memory {
    Memory(displacement: Int128(offset), origin: .label(label))
  }

  /// `[rip + label + offset]`: relative to the instruction; 64-bit code only.
  public static func rip(_ label: Label, _ offset: Int = 0) -> Memory {
    Memory(displacement: Int128(offset), origin: .instructionPointer(label))
  }

  /// The same operand with a segment register; in 64-bit code fs or gs.
  public func through(_ segment: SegmentRegister) -> Memory {
    var copy = self
    copy.segment = segment
    return copy
  }
}

extension Memory {
  /// The operand in Intel's syntax, its displacement signed.
  var text: String {
    let factor = index?.size == .word ? "" : "*\(1 << Int(scale.rawValue))"  // 16-bit addresses have none
    let registers = [base?.name, index.map { $0.name + factor }].compactMap { $0 }
    let start: [String] =
      switch origin {
      case .registers: registers
      case .label(let label): registers + [label.name]
      case .instructionPointer(let label): ["rip", label.name]
      }
    let magnitude = displacement.magnitude.hex
    var inside = start.joined(separator: " + ")
    if start.isEmpty {
      inside = displacement < 0 ? "-" + magnitude : magnitude
    } else if displacement != 0 {
      inside += (displacement < 0 ? " - " : " + ") + magnitude
    }
    return (segment.map { "\($0):" } ?? "") + "[\(inside)]"
  }
}
