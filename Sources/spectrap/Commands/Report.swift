// `spectrap report`: a page for a browser about one benchmark or several.

import ArgumentParser
import Measurement
import Rendering
import SystemPackage

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Makes a page for a browser from results of `bench --json`.",
    discussion: Help.text(
      """
      The page is one file that needs no network. It shows the first screen, the claims with their figures, charts, \
      every table, the environment, and how to measure again. Several results are shown side by side. The charts need \
      Python's vl-convert (pip install vl-convert-python); without it the page says that they are missing.
      """,
      examples: [
        "spectrap report host.json --output report.html",
        "spectrap report before.json after.json --output report.html",
      ], more: "docs/measuring.md"))

  @OptionGroup var input: ResultArguments

  @Option(
    help: ArgumentHelp("The file of the page, replaced in one step; - is standard output.", valueName: "report.html"),
    transform: FilePath.argument)
  var output: FilePath

  func run() throws {
    try Failure.reporting {
      // First, so that a path that cannot be written fails before the results are read.
      let file = try ResultFile(output)
      let reports = try input.read(
        trouble: { "\($0) and \($1) could not be told apart on the page" }, advice: "rename one")
      let hasRenderer = try Pictures.isInstalled()
      let page = ReportPage(
        try reports.map { name, report in
          ReportPage.Result(
            name: String(decoding: name, as: UTF8.self), report: report,
            pictures: hasRenderer
              ? try Chart.all(of: report).map { chart in
                ReportPage.Picture(
                  title: chart.title, svg: try Pictures.render(try chart.specification.jsonText(), .svg))
              } : [])
        }, whyNoCharts: hasRenderer ? nil : Self.noRenderer)
      try file.write(page.html)
      if !hasRenderer { Output.error("spectrap: the page has no charts: \(Self.noRenderer)") }
    }
  }

  private static let noRenderer = "Python has no vl-convert, which draws them (pip install vl-convert-python)."
}
