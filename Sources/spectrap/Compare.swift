// `spectrap compare`: two benchmarks side by side, usable as a regression gate.

import ArgumentParser
import FoundationEssentials
import Measurement

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compares two results of `bench --json`, cell by cell.",
    discussion: "Exits with 1 when a cell became dearer by more than the threshold, its whole interval above it.")

  @Argument(help: ArgumentHelp("The result to compare with.", valueName: "a.json"))
  var first: String

  @Argument(help: ArgumentHelp("The result to be compared.", valueName: "b.json"))
  var second: String

  @Option(help: ArgumentHelp("How much dearer a cell may be.", valueName: "percent"))
  var threshold: Double?

  @Flag(help: "Compare although the two were measured under different circumstances.")
  var force = false

  func run() throws {
    try Failure.reporting {
      let comparison = ReportComparison(try BenchReport.read(first), try BenchReport.read(second))
      if !comparison.environment.isEmpty, !force {
        let differences = comparison.environment.map { "\($0.name) (\($0.first), then \($0.second))" }
        throw Failure(
          status: .usage,
          message: "the two were measured under different circumstances: \(differences.joined(separator: "; ")); "
            + "--force compares them all the same")
      }
      let share = threshold.map { $0 / 100 }
      try Output.result(comparison.text(threshold: share))
      if let share, !comparison.regressions(threshold: share).isEmpty { throw ExitCode(1) }
    }
  }
}

extension BenchReport {
  /// Reads a result of `bench --json`.
  ///
  /// Throws `Failure` when there is none, or it is of another kind or version.
  static func read(_ path: String) throws -> BenchReport {
    let data = try Input.data(path)
    struct Head: Decodable {
      var schemaVersion: Int?
      var kind: String?
    }
    let head = try? JSONDecoder().decode(Head.self, from: data)
    guard let head, head.kind == "bench" else {
      throw Failure(status: .dataError, message: "\(path) is no result of `spectrap bench --json`")
    }
    guard head.schemaVersion == currentSchemaVersion else {
      throw Failure(
        status: .dataError,
        message: "\(path) has schema version \(head.schemaVersion.map(String.init) ?? "none"), this program reads "
          + "version \(currentSchemaVersion)")
    }
    do { return try JSONDecoder().decode(BenchReport.self, from: data) } catch {
      throw Failure(status: .dataError, message: "\(path) is damaged: \(error)")
    }
  }
}
