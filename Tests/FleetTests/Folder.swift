// A folder that a test has to itself, removed with the value.

import FoundationEssentials

final class Folder: Sendable {
  let path: String

  init() throws {
    path = "/tmp/spectrap-fleet-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The names in it, in order.
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  subscript(name: String) -> String { "\(path)/\(name)" }

  func write(_ text: String, to name: String, executable: Bool = false) throws {
    try Data(text.utf8).write(to: URL(filePath: self[name]))
    if executable { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: self[name]) }
  }

  /// What stands in one of its files, nil where there is none.
  func text(of name: String) -> String? {
    FileManager.default.contents(atPath: self[name]).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A host's status, as its script writes it.
  func write(status: Int, of host: String, named name: String? = nil) throws {
    try write(
      #"{"schemaVersion":1,"kind":"status","host":"\#(name ?? host)","exitStatus":\#(status),"began":"","ended":""}"#,
      to: "\(host).status.json")
  }
}
