// `spectrap compare`: two benchmarks side by side, usable as a regression gate.

import ArgumentParser
import Measurement
import Rendering
import SystemPackage

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compares two results of `bench --json`, cell by cell.",
    discussion: """
      A cell became dearer or cheaper where the whole interval of its ratio says so. The intervals are those of the rank sum of \
      the rounds' medians, and share one 5 % of error among all cells (Bonferroni): of 100 comparisons of a build with itself at \
      most about 5 name any cell, if the rounds are alike and independent of each other; drift or load that lasts for several \
      rounds makes it more (docs/measuring.md). Where the clocks count instructions (scripts/lab) there is no noise, and the ratio decides by \
      itself.

      With --threshold it exits with 1 when a cell's interval lies above that; when a cell of the first was not measured in \
      the second, or has no ratio; when a cell looks dearer by more, and too few rounds or too much noise leave open whether it \
      is; and when no cell at all could be judged. Where the clock of a result cannot be believed, no cell has a ratio. The more cells, the more rounds it takes: 5 for 6 cells, \
      8 for 320.
      """)

  @Argument(help: ArgumentHelp("The result to compare with.", valueName: "a.json"), transform: FilePath.argument)
  var first: FilePath

  @Argument(help: ArgumentHelp("The result to be compared.", valueName: "b.json"), transform: FilePath.argument)
  var second: FilePath

  @Option(help: ArgumentHelp("How much dearer a cell may be.", valueName: "percent"))
  var threshold: Double?

  @Flag(help: "With --threshold, cells that became cheaper count too, and those that only the second has.")
  var bothWays = false

  @Flag(help: "Show every circumstance that differs, the parameters and mitigations as well.")
  var verbose = false

  @Flag(help: "Print JSON instead of text.")
  var json = false

  @Flag(help: "Compare although the two were measured under different circumstances.")
  var force = false

  func validate() throws {
    try Input.check([first, second])
    if let threshold, !(threshold >= 0 && threshold.isFinite) {
      throw ValidationError("--threshold takes 0 % or more")
    }
    guard !bothWays || threshold != nil else { throw ValidationError("--both-ways needs a --threshold") }
  }

  func run() throws {
    try Failure.reporting {
      let comparison = ReportComparison(try BenchReport.read(first), try BenchReport.read(second))
      if !comparison.environment.isEmpty, !force {
        throw Failure(
          status: .usage,
          message: "the two were measured under different circumstances; --force compares them all the same",
          details: comparison.circumstanceLines(verbose: verbose))
      }
      let share = threshold.map { $0 / 100 }
      if json {
        try Output.json(comparison)
      } else {
        try Output.document(comparison.document(threshold: share, bothWays: bothWays, verbose: verbose))
      }
      guard let share else { return }
      if !comparison.passes(threshold: share, bothWays: bothWays) { throw ExitCode(1) }
    }
  }
}

extension BenchReport {
  /// Reads a result of `bench --json`.
  ///
  /// - Throws: `Failure` when there is none, or it is of another kind or version.
  static func read(_ path: FilePath) throws -> BenchReport {
    try Input.json(path, "result of `spectrap bench --json`", version: currentSchemaVersion, kind: "bench")
  }
}
