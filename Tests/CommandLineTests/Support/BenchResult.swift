// Small benchmarks for all tests that read results, and copies with a change.

import FoundationEssentials
import TestSupport
import Testing

enum BenchResult {
  /// A file with the result of a benchmark of one instruction: in rounds enough to be taken at its word.
  static let shared = Result { try measured("12", ["--workload", "out", "--entry", "none"]) }

  /// A file with the result of a benchmark of a workload and an instruction: something for every chart.
  static let broad = Result { try measured("6", ["--workload", "out", "--workload", "ibrs"]) }

  /// So many rounds, however long they take beside other tests.
  private static func measured(_ rounds: String, _ selection: [String]) throws -> TemporaryFile {
    let file = try TemporaryFile()
    let outcome = try Spectrap.run(
      ["bench", "--rounds", rounds, "--spread", "0", "--seed", "7", "--json", file.path] + selection)
    guard outcome.status == 0 else { throw ChildError(description: "no benchmark: \(outcome.errors)") }
    return file
  }

  /// A copy of it in which something is changed.
  static func copy(
    of original: TemporaryFile? = nil, _ change: (inout JSONValue) throws -> Void
  ) throws -> TemporaryFile {
    var value = try JSONValue(parsing: try original?.text ?? shared.get().text)
    try change(&value)
    let file = try TemporaryFile()
    try JSONEncoder().encode(value).write(to: URL(filePath: file.path))
    return file
  }
}

extension JSONValue {
  /// Raises every measured figure of a cell of this result.
  mutating func scaleCell(_ id: String, by factor: Double) {
    change("cells") { cells in
      cells = .array(
        cells.elements.map { element in
          var element = element
          guard element["id"] == .string(id) else { return element }
          element.change("rounds") { $0 = $0.scaled(by: factor) }
          element.change("summary") { $0.change("median") { $0 = $0.scaled(by: factor) } }
          return element
        })
    }
  }

  /// Changes a member of an object.
  mutating func change(_ key: String, _ change: (inout JSONValue) -> Void) {
    guard case .object(var members) = self, var member = members[key] else { return }
    change(&member)
    members[key] = member
    self = .object(members)
  }

  /// Takes a member away.
  mutating func remove(_ key: String) {
    guard case .object(var members) = self else { return }
    members[key] = nil
    self = .object(members)
  }

  /// The same with every number in it multiplied.
  func scaled(by factor: Double) -> JSONValue {
    switch self {
    case .integer(let value): .number(Double(value) * factor)
    case .number(let value): .number(value * factor)
    case .array(let values): .array(values.map { $0.scaled(by: factor) })
    case .object(let members): .object(members.mapValues { $0.scaled(by: factor) })
    default: self
    }
  }
}
