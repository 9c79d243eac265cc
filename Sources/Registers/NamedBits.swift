// A 64-bit register whose bits have names, and its text form.

/// A set of named bits in a 64-bit register.
public protocol NamedBits: OptionSet, Hashable, Codable, Sendable, CustomStringConvertible
where RawValue == UInt64, Element == Self {
  /// The bits that have a name, lowest first, with the manual's names.
  static var bitNames: [(bit: Int, name: String)] { get }
}

extension NamedBits {
  /// The names of the set bits, lowest first; bits without a name are left out.
  public var names: [String] { Self.bitNames.filter { rawValue >> $0.bit & 1 == 1 }.map(\.name) }

  /// The set bits that have no name.
  public var unnamed: UInt64 { Self.bitNames.reduce(rawValue) { $0 & ~(1 << $1.bit) } }

  /// The names of the set bits, and those without one as a hexadecimal number at the end.
  package var allNames: [String] { names + (unnamed == 0 ? [] : [unnamed.hex]) }

  /// The names joined by `|`, unnamed bits as one hexadecimal number at the end; `0` if no bit is set.
  public var description: String { rawValue == 0 ? "0" : allNames.joined(separator: "|") }

  /// Reads what `description` writes: names in any case and numbers, joined by `|`, `,` or `+`.
  ///
  /// Nil if a part is neither a known name nor a number of 64 bits.
  public init?(parsing text: String) {
    var value: UInt64 = 0
    for part in text.split(omittingEmptySubsequences: false, whereSeparator: { "|,+".contains($0) }) {
      let upper = part.uppercased()
      if let named = Self.bitNames.first(where: { $0.name == upper }) {
        value |= 1 << named.bit
      } else if let number = upper.hasPrefix("0X") ? UInt64(upper.dropFirst(2), radix: 16) : UInt64(upper) {
        value |= number
      } else {
        return nil
      }
    }
    self.init(rawValue: value)
  }
}
