// A folder that a test has to itself, removed with the value, and with all that is in it.

import FoundationEssentials
import Glibc

final class TemporaryFolder: Sendable {
  let path: String

  /// Throws `ChildError` when /tmp takes none.
  init() throws {
    var template = Array("/tmp/spectrap-test-XXXXXX".utf8CString)
    // Safe: the template ends with a zero, and is changed in place.
    guard unsafe mkdtemp(&template) != nil else { throw ChildError(description: "mkdtemp failed") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The names in it, in order.
  var names: [String] { names(in: ".") }

  /// The names in a folder of it, in order.
  func names(in folder: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: self[folder]).sorted()) ?? []
  }

  /// The path of a name in it.
  subscript(name: String) -> String { "\(path)/\(name)" }

  /// What stands in one of its files, nil where there is none.
  func text(of name: String) -> String? { TemporaryFile.text(of: self[name]) }

  /// Puts a file there.
  func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: URL(filePath: self[name])) }

  /// Runs a script of sh(1) there, with the program and these arguments as "$@".
  func run(_ script: String, _ arguments: [String]) throws -> Outcome {
    try Spectrap.run(arguments, under: ["sh", "-c", "cd \(path) && \(script)", "sh"])
  }
}
