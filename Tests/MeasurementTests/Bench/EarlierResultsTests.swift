import FoundationEssentials
import Measurement
import Testing

/// Results as version 0.1.0 wrote them.
struct EarlierResultsTests {
  private func text(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    return try String(
      contentsOf: folder.appending(path: "../Fixtures/\(name).json").standardizedFileURL, encoding: .utf8)
  }

  private func rewritten<Report: Codable>(_ name: String, _ type: Report.Type) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let report = try JSONDecoder().decode(type, from: Data(text(name).utf8))
    // What came later is null, and nothing else is new.
    return String(decoding: try encoder.encode(report), as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)
      .filter { line in !Self.later.contains { line.hasSuffix("\"\($0)\" : null,") } }
      .joined(separator: "\n") + "\n"
  }

  /// Keys that version 0.1.0 did not know.
  private static let later = ["bhiCtrl", "hostSpecCtrl", "ipredCtrl", "psfd", "rrsbaCtrl"]

  @Test("A benchmark's is read, and written again byte for byte, with null for what came later")
  func bench() throws { #expect(try rewritten("bench", BenchReport.self) == text("bench")) }

  @Test("A run's is read, and written again byte for byte, with null for what came later")
  func run() throws { #expect(try rewritten("run", RunReport.self) == text("run")) }
}
