// JSON as a value: for chart specifications, which have no types, and for tests of the keys of a result.

import FoundationEssentials

/// Any JSON value.
public enum JSONValue: Equatable, Sendable {
  case null, bool(Bool)
  /// A whole number, wide enough for Int64 and UInt64.
  case integer(Int128)
  case number(Double), string(String), array([JSONValue]), object([String: JSONValue])
}

extension JSONValue {
  /// Reads JSON text.
  ///
  /// - Throws: What `JSONDecoder` throws.
  public init(parsing text: String) throws { self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }

  /// The JSON of a value.
  ///
  /// - Throws: What `JSONEncoder` throws.
  public init(encoding value: some Encodable) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
  }

  /// Decodes a value of a type.
  ///
  /// - Throws: What `JSONDecoder` throws.
  public func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
    try JSONDecoder().decode(type, from: JSONEncoder().encode(self))
  }
}

extension JSONValue {
  /// The value at a path of keys (`exits.total`, `samples`), which may not contain dots; nil if there is none.
  public subscript(path: String) -> JSONValue? {
    path.split(separator: ".").reduce(self) { value, key in
      if case .object(let members)? = value { members[String(key)] } else { nil }
    }
  }

  /// The number, if this is a whole number.
  public var count: Int? { if case .integer(let value) = self { Int(exactly: value) } else { nil } }
  /// The elements; none if this is not an array.
  public var elements: [JSONValue] { if case .array(let values) = self { values } else { [] } }
  /// The members; none if this is not an object.
  public var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }

  /// The paths of everything that is null.
  public var nullPaths: [String] {
    members.flatMap { key, value in value == .null ? [key] : value.nullPaths.map { "\(key).\($0)" } }.sorted()
  }

  /// The value without any key that is null.
  public var withoutNulls: JSONValue {
    switch self {
    case .object(let members): .object(members.filter { $0.value != .null }.mapValues(\.withoutNulls))
    case .array(let values): .array(values.map(\.withoutNulls))
    default: self
    }
  }
}

extension JSONValue: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    func take<T: Decodable>(_ make: (T) -> JSONValue) -> JSONValue? { (try? container.decode(T.self)).map(make) }
    if container.decodeNil() {
      self = .null
    } else {
      // Whole numbers before others, so that 64 bits of a register stay exact.
      let scalar =
        take(JSONValue.bool) ?? take { (value: UInt64) in .integer(Int128(value)) }
        ?? take { (value: Int64) in .integer(Int128(value)) } ?? take(JSONValue.number) ?? take(JSONValue.string)
      self = try scalar ?? take(JSONValue.array) ?? .object(container.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value):
      if let unsigned = UInt64(exactly: value) {
        try container.encode(unsigned)
      } else {
        try container.encode(Int64(clamping: value))
      }
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let values): try container.encode(values)
    case .object(let members): try container.encode(members)
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .integer(Int128(value)) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }
  public init(nilLiteral: ()) { self = .null }
}
