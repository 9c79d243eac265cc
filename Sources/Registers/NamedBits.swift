// A 64-bit register whose bits have names: how such a value is written and read as text, in one place.

/// A set of named bits in a 64-bit register.
public protocol NamedBits: OptionSet, Hashable, Codable, Sendable, CustomStringConvertible
where RawValue == UInt64, Element == Self {
  /// The bits that have a name, lowest first, with the manual's names.
  static var bitNames: [(bit: Int, name: String)] { get }
}

extension NamedBits {
  /// The names of the bits that are set, lowest first; bits without a name are left out.
  public var names: [String] {
    Self.bitNames.filter { rawValue >> $0.bit & 1 == 1 }.map(\.name)
  }

  /// The bits that are set and have no name.
  public var unnamed: UInt64 {
    Self.bitNames.reduce(rawValue) { $0 & ~(1 << $1.bit) }
  }

  /// The names joined by `|`, unnamed bits as one hexadecimal number at the end, `0` when no bit is set.
  public var description: String {
    let unnamed = unnamed
    let words = names + (unnamed == 0 ? [] : [unnamed.hex])
    return words.isEmpty ? "0" : words.joined(separator: "|")
  }

  /// Reads what `description` writes: names in any case and numbers, joined by `|`, `,` or `+`.
  ///
  /// Nil when a part is neither a known name nor a number of 64 bits.
  public init?(parsing text: String) {
    var value: UInt64 = 0
    for part in text.split(omittingEmptySubsequences: false, whereSeparator: { "|,+".contains($0) }) {
      let word = part.uppercased()
      if let named = Self.bitNames.first(where: { $0.name == word }) {
        value |= 1 << named.bit
      } else if word.hasPrefix("0X"), let number = UInt64(word.dropFirst(2), radix: 16) {
        value |= number
      } else if let number = UInt64(word) {
        value |= number
      } else {
        return nil
      }
    }
    self.init(rawValue: value)
  }
}
