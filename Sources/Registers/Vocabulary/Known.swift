// Names in results. A newer version may write names that this one does not know; such a result is still read, compared,
// shown, and written back as it was.

/// A value that results name by a word: a policy, a workload, an entry, an MSR.
public protocol Term: Hashable, Sendable {
  /// Its word in results.
  var term: String { get }

  /// The value of a word; nil for a word that this version does not know, or would spell in another way.
  init?(term: String)
}

extension Term where Self: RawRepresentable<String> {
  public var term: String { rawValue }
  public init?(term: String) { self.init(rawValue: term) }
}

/// A name out of a result: one that this version knows, or any other word, as it stands there.
///
/// This is how every name in results is held. `name == .ibrs` compares it with what is known; text is not compared.
public enum Known<Value: Term>: Hashable, Sendable {
  case known(Value)
  case unknown(String)

  /// The name of this word.
  public init(_ text: String) { self = Value(term: text).map(Self.known) ?? .unknown(text) }

  /// What it names; nil for a word that this version does not know.
  public var value: Value? { if case .known(let value) = self { value } else { nil } }

  /// The word as it stands in the result.
  public var text: String {
    switch self {
    case .known(let value): value.term
    case .unknown(let text): text
    }
  }

  /// Whether it names this.
  public static func == (name: Self, value: Value) -> Bool { name.value == value }

  /// Whether it names anything else, a word that is not known included.
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

  public var codingKey: any CodingKey { Key(stringValue: text) }

  public init?(codingKey: some CodingKey) { self.init(codingKey.stringValue) }

  /// A name as the key of a JSON object.
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

/// An MSR's word in results is its number in hexadecimal, "0x48".
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
