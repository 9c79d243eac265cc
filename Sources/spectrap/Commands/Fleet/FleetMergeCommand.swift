// `spectrap fleet merge`: the results of many hosts, by class.

import ArgumentParser
import Measurement
import Rendering
import SystemPackage

struct FleetMergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merges results of `bench --json` of many hosts, and recommends a policy for each class of hosts.",
    discussion: Help.text(
      """
      Similar hosts form a class. A class's figures are medians over its hosts, with intervals if it has 6 hosts or \
      more. A folder is one that `fleet run` filled, or any other with results in it. Hosts without a result are \
      counted, with the reason.
      """,
      examples: [
        "spectrap fleet merge results/",
        "spectrap fleet merge results/ --class-by model --class-by kernel --output fleet.html",
      ], more: "docs/fleet.md"))

  @Argument(
    help: ArgumentHelp("Folders and files of results.", valueName: "folder|result.json"), transform: FilePath.argument)
  var results: [FilePath]

  @Option(
    name: .customLong("class-by"),
    help: .names(of: ClassFact.self, "Form classes by this fact only; may be repeated (default: by all)."),
    transform: ClassFact.argument)
  var facts: [ClassFact] = []

  @Option(
    help: ArgumentHelp("Write a page for a browser; - is standard output.", valueName: "report.html"),
    transform: FilePath.argument)
  var output: FilePath?

  @Option(
    help: ArgumentHelp("Write the whole report as JSON; - is standard output.", valueName: "file"),
    transform: FilePath.argument)
  var json: FilePath?

  @Option(
    help: ArgumentHelp(
      "Write the classes' figures as OpenMetrics, for a collector of text files; - is standard output.",
      valueName: "file"),
    transform: FilePath.argument)
  var openmetrics: FilePath?

  @Flag(help: "Print every cell of each class, too.")
  var verbose = false

  func validate() throws {
    try Input.check(results)
    let outputs = [("--output", output), ("--json", json), ("--openmetrics", openmetrics)]
    if let (first, second) = ResultFile.clash(of: outputs) {
      throw ValidationError("\(first) and \(second) name the same file; give each a file of its own")
    }
  }

  func run() throws {
    try Failure.reporting {
      // First, so that a path that cannot be written fails before anything is read.
      let pageFile = try output.map { try ResultFile($0) }
      let jsonFile = try json.map { try ResultFile($0) }
      let metricsFile = try openmetrics.map { try ResultFile($0) }
      var merge = FleetMerge(by: facts.isEmpty ? ClassFact.allCases : facts, version: Spectrap.version)
      for path in results { try FleetFile.read(path, into: &merge) }
      let report = merge.report()
      guard report.measured > 0 else {
        throw Failure(
          status: .dataError,
          message: "none of \(counted(report.asked, "host")) has a result to merge",
          details: report.absences)
      }
      try pageFile?.write(ReportPage(report).html)
      try jsonFile?.write(try report.jsonText())
      try metricsFile?.write(report.openMetrics)
      try Output.document(report.document(verbose: verbose))
    }
  }
}

extension ClassFact: Named {}
