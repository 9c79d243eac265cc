// `spectrap plot`: charts of benchmark results, as Vega-Lite specifications and, where the renderer is installed, as pictures.

import ArgumentParser
import FoundationEssentials
import Glibc
import Measurement
import SystemPackage

struct Plot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot",
    abstract: "Draws charts of results of `bench --json`.",
    discussion: """
      Writes Vega-Lite specifications, which any Vega viewer shows, and renders them to SVG and PNG where Python has \
      vl-convert (pip install vl-convert-python).
      """)

  @Argument(help: ArgumentHelp("Results of `bench --json`.", valueName: "result.json"))
  var results: [String]

  @Option(help: ArgumentHelp("The folder for the charts; it is made where there is none.", valueName: "dir"))
  var output: String

  func run() throws {
    try Failure.reporting {
      let names = results.map(Self.stem)
      for (index, name) in names.enumerated() {
        guard let other = names.firstIndex(of: name), other != index else { continue }
        throw Failure(
          status: .usage,
          message:
            "the charts of \(results[other]) and \(results[index]) would overwrite each other: both are called \(name); "
            + "plot them into folders of their own, or rename one")
      }
      let reports = try results.map { try BenchReport.read($0) }
      // Safe: the path is a string, which lives for the length of the call.
      guard unsafe mkdir(output, 0o777) == 0 || errno == EEXIST else {
        throw Failure(status: .ioError, message: "\(output) cannot be made: \(Errno(rawValue: errno))")
      }
      var specifications: [String] = []
      for (name, report) in zip(names, reports) {
        for chart in Chart.all(of: report) {
          let path = "\(output)/\(name)-\(chart.name).vl.json"
          try ResultFile(path).write(try Output.encoded(chart.specification))
          specifications.append(path)
          try Output.result("\(path)\n")
        }
      }
      guard try Renderer.isInstalled() else {
        Output.error("spectrap: no pictures: Python has no vl-convert (pip install vl-convert-python)")
        return
      }
      for path in specifications {
        for picture in try Renderer.render(path) { try Output.result("\(picture)\n") }
      }
    }
  }

  /// A path's last part without `.json`, and without the ending of a packed file behind that.
  private static func stem(_ path: String) -> String {
    let file = path.split(separator: "/").last.map(String.init) ?? "result"
    for ending in [".json", ".json.gz", ".json.xz", ".json.zst"] where file.hasSuffix(ending) && file != ending {
      return String(file.dropLast(ending.count))
    }
    return file
  }
}

/// The renderer: Python's vl-convert.
private enum Renderer {
  private static let formats = ["svg", "png"]

  static func isInstalled() throws -> Bool {
    let question = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vl_convert') is None)"
    return try run(["python3", "-c", question]) == 0
  }

  /// Renders a specification beside it and gives the pictures' paths.
  ///
  /// Throws `Failure` when the renderer fails.
  static func render(_ specification: String) throws -> [String] {
    let script = """
      import sys, vl_convert
      source, svg, png = sys.argv[1:]
      text = open(source).read()
      open(svg, "w").write(vl_convert.vegalite_to_svg(text))
      open(png, "wb").write(vl_convert.vegalite_to_png(text, scale=2))
      """
    let stem = specification.hasSuffix(".vl.json") ? String(specification.dropLast(8)) : specification
    let pictures = formats.map { "\(stem).\($0)" }
    let status = try run(["python3", "-c", script, specification] + pictures)
    guard status == 0 else {
      throw Failure(status: .software, message: "vl-convert failed on \(specification) with status \(status)")
    }
    return pictures
  }

  /// Runs a program to its end and gives its exit status, 127 where there is no such program.
  private static func run(_ command: [String]) throws -> Int32 {
    var pid = pid_t()
    var status: Int32 = 0
    // Safe: the strings live until the array of their addresses, which ends with nil, has been used.
    let copies = unsafe command.map { unsafe strdup($0) }
    defer { unsafe copies.forEach { unsafe free($0) } }
    let failure = unsafe posix_spawnp(&pid, command[0], nil, nil, copies + [nil], environ)
    if failure == ENOENT { return 127 }
    guard failure == 0 else { throw Failure(status: .software, message: "\(command[0]) cannot be started") }
    while unsafe waitpid(pid, &status, 0) < 0 {
      guard errno == EINTR else { throw Failure(status: .software, message: "\(command[0]) was lost") }
    }
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
  }
}
