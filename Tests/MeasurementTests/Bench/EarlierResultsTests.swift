import FoundationEssentials
import JSONValues
import Measurement
import Testing

/// Results as version 0.1.0 wrote them.
struct EarlierResultsTests {
  private func text(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    return try String(
      contentsOf: folder.appending(path: "../Fixtures/\(name).json").standardizedFileURL, encoding: .utf8)
  }

  /// A result that was read and written again, and the same as it was; without nulls, which this version adds.
  private func rewritten<Report: Codable>(_ name: String, _ type: Report.Type) throws -> (JSONValue, JSONValue) {
    let earlier = Data(try text(name).utf8)
    let written = try JSONEncoder().encode(JSONDecoder().decode(type, from: earlier))
    func value(_ json: Data) throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: json).withoutNulls }
    return (try value(earlier), try value(written))
  }

  @Test("A benchmark's is read, and written again as it was; what this version adds is null")
  func bench() throws {
    let (earlier, written) = try rewritten("bench", BenchReport.self)
    #expect(earlier == written)
  }

  @Test("A run's is read, and written again as it was; what this version adds is null")
  func run() throws {
    let (earlier, written) = try rewritten("run", RunReport.self)
    #expect(earlier == written)
  }
}
