// `spectrap plot`: charts of benchmark results, as Vega-Lite specifications and, where the renderer is installed, as
// pictures.

import ArgumentParser
import Glibc
import Host
import Measurement
import Rendering
import SystemPackage

struct Plot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot",
    abstract: "Draws charts from results of `bench --json`.",
    discussion: Help.text(
      """
      Writes Vega-Lite specifications, which any Vega viewer shows, and renders them to SVG and PNG where Python has \
      vl-convert (pip install vl-convert-python).
      """,
      examples: [
        "spectrap plot host.json --output charts",
        "spectrap plot before.json after.json --output charts",
      ], more: "docs/measuring.md"))

  @OptionGroup var input: ResultArguments

  @Option(
    help: ArgumentHelp("The folder for the charts; it is made if there is none.", valueName: "dir"),
    transform: FilePath.argument)
  var output: FilePath

  func validate() throws {
    guard output != "-" else {
      throw ValidationError("the charts are several files, which do not fit into standard output (-); name a folder")
    }
  }

  func run() throws {
    try Failure.reporting {
      let reports = try input.read(
        trouble: { "the charts of \($0) and \($1) would overwrite each other" },
        advice: "plot them into folders of their own, or rename one")
      // Safe: the path is zero-terminated and lives as long as the call.
      guard unsafe output.withPlatformString({ unsafe mkdir($0, 0o777) }) == 0 || errno == EEXIST else {
        throw Failure(Errno(rawValue: errno), "\(output) cannot be made", status: .ioError)
      }
      var specifications: [(stem: [UInt8], text: String)] = []
      for (name, report) in reports {
        for chart in Chart.all(of: report) {
          let stem = name + Array("-\(chart.name)".utf8)
          let text = try chart.specification.jsonText()
          try put(Array(text.utf8), at: stem, ".vl.json")
          specifications.append((stem, text))
        }
      }
      guard try Pictures.isInstalled() else {
        Output.error("spectrap: no pictures: Python has no vl-convert (pip install vl-convert-python)")
        return
      }
      for (stem, text) in specifications {
        for format in Pictures.Format.allCases {
          try put(try Pictures.render(text, format), at: stem, ".\(format.rawValue)")
        }
      }
    }
  }

  /// Writes a file into the folder and prints its path.
  private func put(_ bytes: [UInt8], at stem: [UInt8], _ ending: String) throws {
    let path = output.appending(FilePath(bytes: stem + Array(ending.utf8)).components)
    try ResultFile(path).write(bytes)
    try Output.path(path)
  }
}
