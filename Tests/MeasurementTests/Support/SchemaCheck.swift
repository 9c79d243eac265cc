// A small JSON Schema checker: it knows the keywords that docs/bench.schema.json uses, and says so when it meets
// another.

import JSONValues
import Measurement

struct SchemaCheck {
  let schema: JSONValue

  private static let known: Set<String> = [
    "$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties",
    "items",
    "enum", "const", "anyOf", "minItems", "maxItems", "minimum",
  ]

  /// What is wrong with the value, each with its path; empty where it is valid.
  func problems(_ value: JSONValue) -> [String] { problems(value, schema, at: "") }

  private func problems(_ value: JSONValue, _ rule: JSONValue, at path: String) -> [String] {
    guard case .object(let keywords) = rule else { return ["\(path): the schema is no object"] }
    var found = Set(keywords.keys).subtracting(Self.known).map { "\(path): unknown keyword \($0)" }
    if case .string(let reference)? = keywords["$ref"] {
      let name = reference.split(separator: "/").last.map(String.init) ?? ""
      guard let target = schema["$defs"]?[name] else { return found + ["\(path): no \(reference)"] }
      found += problems(value, target, at: path)
    }
    if let choices = keywords["anyOf"]?.elements, !choices.isEmpty {
      let all = choices.map { problems(value, $0, at: path) }
      if !all.contains([]) { found += all.min { $0.count < $1.count } ?? [] }
    }
    if let type = keywords["type"], !Self.types(type).contains(where: { value.isOf(type: $0) }) {
      found.append("\(path): not of type \(Self.types(type).joined(separator: " or "))")
    }
    if let constant = keywords["const"], constant != value { found.append("\(path): not the constant") }
    if let values = keywords["enum"]?.elements, !values.contains(value) { found.append("\(path): not in the enum") }
    if case .integer(let least)? = keywords["minimum"], let number = value.asNumber, number < Double(least) {
      found.append("\(path): below \(least)")
    }
    if case .array(let elements) = value {
      if case .integer(let least)? = keywords["minItems"], elements.count < least { found.append("\(path): too few") }
      if case .integer(let most)? = keywords["maxItems"], elements.count > most { found.append("\(path): too many") }
      if let items = keywords["items"] {
        for (index, element) in elements.enumerated() { found += problems(element, items, at: "\(path)/\(index)") }
      }
    }
    if case .object(let members) = value { found += problems(members, keywords, at: path) }
    return found
  }

  private func problems(
    _ members: [String: JSONValue], _ keywords: [String: JSONValue], at path: String
  ) -> [String] {
    var found: [String] = []
    for case .string(let key) in keywords["required"]?.elements ?? [] where members[key] == nil {
      found.append("\(path): lacks \(key)")
    }
    for (key, member) in members {
      if let rule = keywords["properties"]?[key] {
        found += problems(member, rule, at: "\(path)/\(key)")
      } else if keywords["additionalProperties"] == .bool(false) {
        found.append("\(path): \(key) is not in the schema")
      } else if let rule = keywords["additionalProperties"], case .object = rule {
        found += problems(member, rule, at: "\(path)/\(key)")
      }
    }
    return found
  }

  private static func types(_ type: JSONValue) -> [String] {
    (type.elements.isEmpty ? [type] : type.elements).compactMap {
      if case .string(let name) = $0 { name } else { nil }
    }
  }
}

extension JSONValue {
  fileprivate var asNumber: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  fileprivate func isOf(type: String) -> Bool {
    switch self {
    case .null: type == "null"
    case .bool: type == "boolean"
    case .integer: type == "integer" || type == "number"
    case .number: type == "number"
    case .string: type == "string"
    case .array: type == "array"
    case .object: type == "object"
    }
  }
}
