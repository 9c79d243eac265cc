// A model-specific register's number, and its text form.
//
// Facts: Intel SDM vol. 2 (RDMSR, WRMSR: ECX holds the number, 32 bits); the names are in MSR+Names.swift.

/// The number of a model-specific register, as RDMSR and WRMSR take it in ECX.
@frozen
public struct MSR: RawRepresentable, Hashable, Comparable, Codable, Sendable, BitwiseCopyable {
  /// The register number.
  public var rawValue: UInt32

  /// The register with this number, whether or not any CPU has it.
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The register with this number, whether or not any CPU has it.
  @inlinable public init(_ number: UInt32) { self.init(rawValue: number) }

  /// Orders registers by number.
  @inlinable public static func < (left: MSR, right: MSR) -> Bool { left.rawValue < right.rawValue }
}

extension MSR {
  /// Whether it is write-only: a write is a barrier or flush, a read is a #GP, and there is no value to keep.
  public var isCommand: Bool { self == .predCmd || self == .flushCmd }

  /// The stand-in for IA32_SPEC_CTRL: KVM emulates its writes by itself on every host.
  public static let standIn = MSR.tscAdjust
}

extension MSR: CustomStringConvertible {
  /// The number in hexadecimal: `0x48`.
  public var hex: String { rawValue.hex }

  /// The manual's name (`IA32_SPEC_CTRL`); nil if the table has none.
  public var name: String? { MSR.nameOfNumber[self] }

  /// The manual's name if there is one, else the number in hexadecimal.
  public var description: String { name ?? hex }

  /// Reads a name, in any case and with or without `IA32_` or `MSR_` before it, or a number (`0x48`, `72`).
  ///
  /// Nil if the text is neither a known name nor a number of 32 bits.
  public init?(parsing text: String) {
    if let number = MSR.number(in: text) {
      self.init(rawValue: number)
      return
    }
    guard let known = MSR.numberOfBareName[MSR.bareName(text)] else { return nil }
    self = known
  }

  private static func number(in text: String) -> UInt32? {
    // UInt32(_:radix:) accepts a sign, which a register number does not have.
    guard let first = text.first, first.isASCII, first.isNumber else { return nil }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      return digits.first?.isHexDigit == true ? UInt32(digits, radix: 16) : nil
    }
    return UInt32(text)
  }

  /// The name in upper case without the prefixes that manuals and kernels disagree about.
  private static func bareName(_ text: String) -> String {
    var bare = Substring(text.uppercased())
    for prefix in ["MSR_", "AMD64_", "IA32_"] where bare.hasPrefix(prefix) {
      bare = bare.dropFirst(prefix.count)
    }
    return String(bare)
  }

  private static let nameOfNumber: [MSR: String] =
    Dictionary(names.map { ($0.msr, $0.name) }, uniquingKeysWith: { first, _ in first })

  private static let numberOfBareName: [String: MSR] =
    Dictionary(names.map { (bareName($0.name), $0.msr) }, uniquingKeysWith: { first, _ in first })
}
