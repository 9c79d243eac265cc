// `spectrap compare`: two benchmarks side by side, usable as a regression gate.

import ArgumentParser
import Measurement
import Rendering
import SystemPackage

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compares two results of `bench --json`, cell by cell.",
    discussion: Help.text(
      """
      The first result is a file, or a baseline that was saved under a name. A cell became slower or faster only if \
      the whole interval of its ratio says so. If a build is compared with itself, at most about 5 of 100 comparisons \
      find any cell slower or faster. The intervals allow for a shift that all cells share, because the machine itself \
      may have changed between the two results. Where the clocks count instructions (scripts/lab), there is no noise, \
      and the ratio alone decides.

      With --threshold, the command is a gate. Its status is 1 if a cell became slower by more than the threshold, if \
      a cell looks slower by more and the rounds are too few or too noisy to tell, if a cell of the first result is \
      lost or has no ratio, or if no cell could be judged. More cells need more rounds: 5 for 6 cells, 8 for 320.

      Baselines are kept below XDG_DATA_HOME, by default ~/.local/share. --save-baseline saves the last result under a \
      name. If no other first result is given, the last result is compared with the earlier baseline of that name. A \
      result that fails the gate is not saved.
      """,
      examples: [
        "spectrap compare before.json after.json --threshold 5",
        "spectrap compare today.json --save-baseline main",
        "spectrap compare branch.json --baseline main --threshold 5",
      ], more: "docs/measuring.md"))

  @Argument(
    help: ArgumentHelp(
      "The result to compare with (leave it out if that is a baseline), and the result to judge.",
      valueName: "result.json"),
    transform: FilePath.argument)
  var results: [FilePath]

  @Option(
    help: ArgumentHelp("Compare with the baseline of this name.", valueName: "name"),
    transform: Baseline.argument)
  var baseline: Baseline?

  @Option(
    help: ArgumentHelp("Save the last result as the baseline of this name.", valueName: "name"),
    transform: Baseline.argument)
  var saveBaseline: Baseline?

  @Option(help: ArgumentHelp("How much slower a cell may be.", valueName: "percent"))
  var threshold: Double?

  @Flag(help: "With --threshold, also fail on cells that became faster, and on cells that only the second has.")
  var bothWays = false

  @Flag(help: "Show every circumstance that differs, with parameters and mitigations.")
  var verbose = false

  @Flag(help: "Print JSON instead of text.")
  var json = false

  @Flag(help: "Compare even if the two were measured under different circumstances.")
  var force = false

  func validate() throws {
    try Input.check(results)
    if let threshold, !(threshold >= 0 && threshold.isFinite) {
      throw ValidationError("--threshold must be 0 % or more")
    }
    guard !bothWays || threshold != nil else { throw ValidationError("--both-ways needs a --threshold") }
    switch results.count {
    case 1 where baseline == nil && saveBaseline == nil:
      throw ValidationError(
        "there is nothing to compare the result with; give a second, or --baseline NAME, or --save-baseline NAME")
    case 1: break
    case 2 where baseline != nil:
      throw ValidationError("--baseline takes the place of the first result; give one result, not two")
    case 2: break
    default: throw ValidationError("give one result or two, not \(results.count)")
    }
  }

  func run() throws {
    try Failure.reporting {
      let first = try first()
      let last = try BenchReport.read(results[results.count - 1])
      if let first {
        guard try isPassed(ReportComparison(first, last)) else { throw ExitCode(1) }
      }
      guard let saveBaseline else { return }
      try saveBaseline.save(last)
      Output.error("spectrap: saved as the baseline \"\(saveBaseline.name)\"")
    }
  }

  /// The result to compare the last one with; nil for a baseline that is saved for the first time.
  private func first() throws -> BenchReport? {
    if results.count == 2 { return try BenchReport.read(results[0]) }
    if let baseline { return try baseline.read() }
    guard let saveBaseline, try saveBaseline.exists() else { return nil }
    return try saveBaseline.read()
  }

  /// Prints a comparison, and returns whether it passes the gate.
  private func isPassed(_ comparison: ReportComparison) throws -> Bool {
    if !comparison.environment.isEmpty, !force {
      throw Failure(
        status: .usage,
        message: "the two were measured under different circumstances; pass --force to compare them",
        details: comparison.circumstanceLines(verbose: verbose))
    }
    let share = threshold.map { $0 / 100 }
    if json {
      try Output.json(comparison)
    } else {
      try Output.document(comparison.document(threshold: share, bothWays: bothWays, verbose: verbose))
    }
    return share.map { comparison.passes(threshold: $0, bothWays: bothWays) } ?? true
  }
}

extension BenchReport {
  /// Reads a result of `bench --json`.
  ///
  /// - Throws: `Failure` when there is none, or it is of another kind or version.
  static func read(_ path: FilePath) throws -> BenchReport {
    try Input.json(path, "result of `spectrap bench --json`", versions: readableSchemaVersions, kind: "bench")
  }
}
