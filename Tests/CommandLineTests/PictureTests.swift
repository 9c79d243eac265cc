// `report` and `plot`: the page and the charts of results.

import FoundationEssentials
import TestSupport
import Testing

@Suite("The page of a result", .needsKVM)
struct ReportTests {
  @Test("is written whole, says that charts are missing where they are, and escapes what a result says")
  func page() throws {
    let folder = try TemporaryFolder()
    let hostile = try BenchResult.copy {
      $0.change("host") { $0.change("kernel") { $0 = .string("<script>alert(1)</script>") } }
    }
    let outcome = try Spectrap.run(
      "report", hostile.path, "--output", folder["page.html"], under: ["env", "PATH=/nonexistent"])
    #expect(outcome.status == 0 && outcome.output.isEmpty, "\(outcome.errors)")
    #expect(outcome.errors.contains("no charts") && outcome.errors.contains("vl-convert"))
    let html = try #require(folder.text(of: "page.html"))
    #expect(html.hasPrefix("<!DOCTYPE html>") && html.hasSuffix("</html>\n") && html.contains("There are no charts"))
    #expect(!html.contains("<script>") && html.contains("Linux &lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(folder.names == ["page.html"], "nothing else is left there")
  }

  @Test("is refused with the status of what is wrong: 64, 65, 66, 74")
  func refused() throws {
    let folder = try TemporaryFolder()
    let file = try BenchResult.shared.get().path
    try Spectrap.run("report", file).expectUsageError(saying: ["--output"])
    try Spectrap.run("report", "--output", folder["p"]).expectUsageError(saying: ["result.json"])
    try Spectrap.run("report", "-", "-", "--output", folder["p"]).expectUsageError(saying: ["standard input"])
    try Spectrap.run("report", #filePath, "--output", folder["p"]).expectFailure(
      65, saying: "PictureTests.swift", "JSON")
    try Spectrap.run("report", folder["none"], "--output", folder["p"]).expectFailure(66, saying: "none")
    try Spectrap.run("report", file, file, "--output", folder["p"]).expectFailure(
      64, saying: "could not be told apart", "rename one")
    try Spectrap.run("report", file, "--output", "/nonexistent/p").expectFailure(74, saying: "/nonexistent/p")
    #expect(folder.names.isEmpty, "no page is begun that is not finished")
  }
}

@Suite("The charts of a result", .needsKVM)
struct PlotTests {
  @Test("are specifications with units at their axes; where there is no renderer, that is said")
  func specifications() throws {
    let (file, name) = (try BenchResult.broad.get(), try TemporaryFile())
    let folder = name.path + ".charts"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let outcome = try Spectrap.run(
      "plot", file.path, "--output", folder, under: ["env", "PATH=/nonexistent"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("no pictures") && outcome.errors.contains("vl-convert"))
    let paths = outcome.output.split(separator: "\n").map(String.init)
    let hasBreakEven = try JSONValue(parsing: file.text)["breakEven"] != .null
    #expect(paths.count == (hasBreakEven ? 3 : 2))
    #expect(paths.allSatisfy { $0.hasPrefix(folder) && $0.hasSuffix(".vl.json") })
    for path in paths {
      let chart = try JSONValue(parsing: try #require(TemporaryFile.text(of: path)))
      let titles = Self.quantitativeTitles(in: chart)
      #expect(!titles.isEmpty, "\(path)")
      let units = ["cycles", "%", "writes", "exits"]
      #expect(titles.allSatisfy { title in units.contains { title.contains($0) } }, "\(path): \(titles)")
    }
  }

  @Test("are refused where two results have the same name: one would overwrite the other's")
  func sameName() throws {
    let file = try TemporaryFile()
    let name = file.path
    var paths: [String] = []
    for path in ["one/host.a.json", "two/host.a.json", "two/host.b.json"] {
      let url = URL(filePath: name + ".results/" + path)
      try FileManager.default.createDirectory(
        atPath: url.deletingLastPathComponent().path, withIntermediateDirectories: true)
      try Data(BenchResult.shared.get().text.utf8).write(to: url)
      paths.append(url.path)
    }
    defer { try? FileManager.default.removeItem(atPath: name + ".results") }
    let folder = name + ".charts"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let refused = try Spectrap.run("plot", paths[0], paths[1], "--output", folder)
    refused.expectFailure(64, saying: "the charts of \(paths[0]) and \(paths[1]) would overwrite each other")
    #expect(refused.errors.contains("both are called host.a;"))
    #expect(!FileManager.default.fileExists(atPath: folder))
    // What differs before the last .json is another name.
    let outcome = try Spectrap.run(
      "plot", paths[0], paths[2], "--output", folder, under: ["env", "PATH=/nonexistent"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let charts = outcome.output.split(separator: "\n")
    #expect(Set(charts).count == charts.count && charts.contains("\(folder)/host.b-exit-latency.vl.json"))
    #expect(charts.contains("\(folder)/host.a-exit-latency.vl.json"))
  }

  @Test("cannot be put where no folder can be made")
  func noFolder() throws {
    try Spectrap.run("plot", try BenchResult.shared.get().path, "--output", "/nonexistent/charts")
      .expectFailure(74, saying: "/nonexistent/charts")
    try Spectrap.run("plot", "/nonexistent/result.json", "--output", "/tmp")
      .expectFailure(66, saying: "/nonexistent/result.json")
  }

  /// The titles of all axes along which something is measured.
  private static func quantitativeTitles(in value: JSONValue) -> [String] {
    let own: [String] =
      if value["type"] == .string("quantitative"), case .string(let title)? = value["title"] { [title] } else { [] }
    return own + value.members.values.flatMap(quantitativeTitles) + value.elements.flatMap(quantitativeTitles)
  }
}
