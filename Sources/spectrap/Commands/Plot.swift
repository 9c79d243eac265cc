// `spectrap plot`: charts of benchmark results, as Vega-Lite specifications and, where the renderer is installed, as
// pictures.

import ArgumentParser
import Glibc
import Hypervisor
import Measurement
import Rendering
import SystemPackage

struct Plot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot",
    abstract: "Draws charts of results of `bench --json`.",
    discussion: """
      Writes Vega-Lite specifications, which any Vega viewer shows, and renders them to SVG and PNG where Python has \
      vl-convert (pip install vl-convert-python).
      """)

  @Argument(
    help: ArgumentHelp("Results of `bench --json`; - is standard input.", valueName: "result.json"),
    transform: FilePath.argument)
  var results: [FilePath]

  @Option(
    help: ArgumentHelp("The folder for the charts; it is made where there is none.", valueName: "dir"),
    transform: FilePath.argument)
  var output: FilePath

  func validate() throws {
    try Input.check(results)
    guard output != "-" else {
      throw ValidationError("the charts are several files, and standard output (-) takes one; name a folder")
    }
  }

  func run() throws {
    try Failure.reporting {
      let names = results.map(Self.stem)
      for (index, name) in names.enumerated() {
        guard let other = names.firstIndex(of: name), other != index else { continue }
        throw Failure(
          status: .usage,
          message:
            "the charts of \(results[other]) and \(results[index]) would overwrite each other: both are called "
            + "\(FilePath(bytes: name)); plot them into folders of their own, or rename one")
      }
      let reports = try results.map { try BenchReport.read($0) }
      // Safe: the path is zero-terminated and lives as long as the call.
      guard unsafe output.withPlatformString({ unsafe mkdir($0, 0o777) }) == 0 || errno == EEXIST else {
        throw Failure(Errno(rawValue: errno), "\(output) cannot be made", status: .ioError)
      }
      var specifications: [(stem: [UInt8], text: String)] = []
      for (name, report) in zip(names, reports) {
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

  /// A path's last component without `.json`, `.json.gz` and so on.
  private static func stem(_ path: FilePath) -> [UInt8] {
    guard path != "-", let name = path.lastComponent else { return Array("result".utf8) }
    let file = FilePath(root: nil, [name]).bytes
    for ending in [".json", ".json.gz", ".json.xz", ".json.zst"] {
      let count = file.count - ending.utf8.count
      if count > 0, file[count...].elementsEqual(ending.utf8) { return Array(file[..<count]) }
    }
    return file
  }
}
