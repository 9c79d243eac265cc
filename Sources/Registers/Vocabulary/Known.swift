// Names in results. A newer version may write names that this one does not know; such a result is still read, compared,
// shown, and written back unchanged.

/// A value that has a name in results: a policy, a workload, an entry, an MSR.
public protocol Term: Hashable, Sendable {
  /// Its name in results.
  var term: String { get }

  /// The value with this name; nil for a name that this version does not know, or would spell in another way.
  init?(term: String)
}

extension Term where Self: RawRepresentable<String> {
  public var term: String { rawValue }
  public init?(term: String) { self.init(rawValue: term) }
}

/// A name from a result: one that this version knows, or any other text, kept as it is.
///
/// Results hold every name in this form. `name == .ibrs` compares values, not text.
public enum Known<Value: Term>: Hashable, Sendable {
  case known(Value), unknown(String)

  /// The name with this text.
  public init(_ text: String) { self = Value(term: text).map(Self.known) ?? .unknown(text) }

  /// The named value; nil for a name that this version does not know.
  public var value: Value? { if case .known(let value) = self { value } else { nil } }

  /// The text in the result.
  public var text: String {
    switch self {
    case .known(let value): value.term
    case .unknown(let text): text
    }
  }

  /// Whether it names this value.
  public static func == (name: Self, value: Value) -> Bool { name.value == value }

  /// Whether it names anything else, including an unknown name.
  public static func != (name: Self, value: Value) -> Bool { !(name == value) }
}

extension Known: CustomStringConvertible {
  public var description: String { text }
}

extension Known: Codable, CodingKeyRepresentable {
  public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(String.self)) }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  public var codingKey: any CodingKey { TextKey(stringValue: text) }

  public init?(codingKey: some CodingKey) { self.init(codingKey.stringValue) }
}

/// Any text as the key of a JSON object.
package struct TextKey: CodingKey {
  package let stringValue: String
  package var intValue: Int? { nil }

  package init(stringValue: String) { self.stringValue = stringValue }
  package init?(intValue: Int) { nil }
}

/// An MSR's name in results is its number in hexadecimal, "0x48".
extension MSR: Term {
  public var term: String { hex }

  public init?(term: String) {
    guard let msr = MSR(parsing: term), msr.hex == term else { return nil }
    self = msr
  }
}

extension WorkloadName: Term {}
extension Entry: Term {}
extension PolicyName: Term {}
extension ProtectionLevel: Term {}
