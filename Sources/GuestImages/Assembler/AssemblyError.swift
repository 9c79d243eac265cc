// The errors of the assembler.

import Registers

/// Why a program could not be assembled, and at which instruction.
public struct AssemblyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Problem: Error, Hashable, Sendable {
    /// The label is used and never bound.
    case undefinedLabel(Label)
    /// The label is bound in two places.
    case labelBoundTwice(Label, first: UInt64)
    /// The label lies further away than so many bits of displacement reach.
    case outOfReach(Label, at: UInt64, bits: Int)
    /// The label's address needs more than so many bits.
    case addressTooLarge(Label, at: UInt64, bits: Int)
    /// The instruction or its operand does not exist in this mode; the text says what and why.
    case impossible(String, CodeMode)
    /// A constant does not fit its field; the text says which and how large it may be.
    case valueOutOfRange(String)
    /// The program is larger than the limit.
    case programTooLarge(limit: Int)
  }

  /// What is wrong.
  public let problem: Problem
  /// The instruction, as the listing would show it.
  public let instruction: String
  /// The address of the instruction.
  public let address: UInt64

  /// The address, the instruction, and what is wrong with it.
  public var description: String {
    "\(address.hex): \(instruction): \(problem.text)"
  }
}

extension AssemblyError.Problem {
  fileprivate var text: String {
    switch self {
    case .undefinedLabel(let label):
      "label \"\(label)\" is not defined; bind it where it should point"
    case .labelBoundTwice(let label, let first):
      "label \"\(label)\" is already bound at \(first.hex); give one of them another name"
    case .outOfReach(let label, let target, let bits):
      "label \"\(label)\" at \(target.hex) is out of reach of a displacement of \(bits) bits"
    case .addressTooLarge(let label, let target, let bits):
      "the address of label \"\(label)\", \(target.hex), does not fit \(bits) bits"
    case .impossible(let reason, let mode):
      "\(reason) (this is \(mode.rawValue)-bit code)"
    case .valueOutOfRange(let reason): reason
    case .programTooLarge(let limit):
      "the program is larger than \(limit) bytes; split it into several images"
    }
  }
}
