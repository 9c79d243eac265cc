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
      The first result is a file, or a baseline that was kept by name. A cell became slower or faster where the whole \
      interval of its ratio says so. All intervals together are wrong in at most about 5 of 100 comparisons of a build \
      with itself, and allow for what all cells have in common: that may be another moment of the machine. Where the \
      clocks count instructions (scripts/lab) there is no noise, and the ratio alone decides.

      With --threshold it is a gate, whose status is 1 when a cell became slower by more, when one looks slower by more \
      and the rounds are too few or too noisy to tell, when a cell of the first is lost or has no ratio, and when no cell \
      could be judged. The more cells, the more rounds that takes: 5 for 6 cells, 8 for 320.

      A baseline is kept below XDG_DATA_HOME, by default ~/.local/share. --save-baseline keeps the last result under a \
      name; where no other first result is given, it is compared with what had the name before. A result that does not \
      pass the gate is not kept.
      """,
      examples: [
        "spectrap compare before.json after.json --threshold 5",
        "spectrap compare today.json --save-baseline main",
        "spectrap compare branch.json --baseline main --threshold 5",
      ], more: "docs/measuring.md"))

  @Argument(
    help: ArgumentHelp(
      "One or two results: the one to compare with, unless that is a baseline, and the other.",
      valueName: "result.json"),
    transform: FilePath.argument)
  var results: [FilePath]

  @Option(
    help: ArgumentHelp("Compare with the result that is kept under this name.", valueName: "name"),
    transform: Baseline.argument)
  var baseline: Baseline?

  @Option(
    help: ArgumentHelp("Keep the last result under this name.", valueName: "name"), transform: Baseline.argument)
  var saveBaseline: Baseline?

  @Option(help: ArgumentHelp("How much slower a cell may be.", valueName: "percent"))
  var threshold: Double?

  @Flag(help: "With --threshold, cells that became faster count too, and those that only the second has.")
  var bothWays = false

  @Flag(help: "Show every circumstance that differs, the parameters and mitigations as well.")
  var verbose = false

  @Flag(help: "Print JSON instead of text.")
  var json = false

  @Flag(help: "Compare although the two were measured under different circumstances.")
  var force = false

  func validate() throws {
    try Input.check(results)
    if let threshold, !(threshold >= 0 && threshold.isFinite) {
      throw ValidationError("--threshold takes 0 % or more")
    }
    guard !bothWays || threshold != nil else { throw ValidationError("--both-ways needs a --threshold") }
    switch results.count {
    case 1 where baseline == nil && saveBaseline == nil:
      throw ValidationError(
        "one result is compared with nothing; give a second, or --baseline NAME, or --save-baseline NAME")
    case 1: break
    case 2 where baseline != nil:
      throw ValidationError("two results and a baseline are three; give one result with --baseline")
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
      Output.error("spectrap: kept as the baseline \"\(saveBaseline.name)\"")
    }
  }

  /// What the last result is compared with; nil for a baseline that is kept for the first time.
  private func first() throws -> BenchReport? {
    if results.count == 2 { return try BenchReport.read(results[0]) }
    if let baseline { return try baseline.read() }
    guard let saveBaseline, try saveBaseline.exists() else { return nil }
    return try saveBaseline.read()
  }

  /// Prints a comparison, and says whether the threshold was kept.
  private func isPassed(_ comparison: ReportComparison) throws -> Bool {
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
