// The gate of scripts/lab-cost, given figures instead of a machine: what it lets through, and what it names.

import FoundationEssentials
import Testing

@Suite("The gate on instructions per entry and exit")
struct LabCostTests {
  @Test func `the table's own figures pass`() async throws {
    let result = try await check(try Figures.checkedIn())
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("no cell is more than 2 % above"))
  }

  @Test func `a cell that rises by 1 % passes, one by 3 % fails and is named`() async throws {
    var figures = try Figures.checkedIn()
    figures.scale("passthrough chatty exit", by: 1.01)
    #expect(try await check(figures).status == 0)
    figures.scale("autoload chatty entry", by: 1.03)
    let result = try await check(figures)
    #expect(result.status == 70)
    #expect(result.error.contains("autoload chatty per entry rose by more than 2 %"))
    #expect(!result.error.contains("passthrough chatty"))
  }

  @Test func `a cell that falls passes, and the table is to be updated`() async throws {
    var figures = try Figures.checkedIn()
    figures.scale("emulate ibrs entry", by: 0.9)
    let result = try await check(figures)
    #expect(result.status == 0)
    #expect(result.error.contains("emulate ibrs per entry fell by more than 2 %"))
    #expect(result.error.contains("scripts/lab-cost --update"))
  }

  @Test func `a cell that is no longer measured fails`() async throws {
    var figures = try Figures.checkedIn()
    figures.cells.removeAll { $0.name == "emulate bare entry" }
    let result = try await check(figures)
    #expect(result.status == 70)
    #expect(result.error.contains("emulate bare per entry: in the table, but not measured"))
  }

  @Test func `on another kernel only the distance from the C loop is judged, and that is said`() async throws {
    var figures = try Figures.checkedIn()
    figures.host["kernel"] = "Linux 6.1.0-9999"
    figures.scale("passthrough chatty entry", by: 1.1, both: true)
    var result = try await check(figures)
    #expect(result.status == 0, "\(result.error)")
    #expect(result.error.contains("the kernel is Linux 6.1.0-9999, the table is of Linux"))
    #expect(result.error.contains("only the distance from the C loop"))

    figures.scale("passthrough chatty entry", by: 1.03)
    result = try await check(figures)
    #expect(result.status == 70)
    #expect(result.error.contains("passthrough chatty per entry rose by more than 2 %"))
  }

  @Test(arguments: [["--update", "--check"], ["--measured"], ["--measured", "/nonexistent"], ["--nonsense"]])
  func `wrong usage is refused`(arguments: [String]) async throws {
    #expect(try await Command.run("scripts/lab-cost", arguments, timeLimit: .seconds(60)).status == 64)
  }

  private func check(_ figures: Figures) async throws -> Command {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let file = try folder.write(figures.text, to: "figures")
    return try await Command.run("scripts/lab-cost", ["--check", "--measured", file], timeLimit: .seconds(60))
  }
}

/// Figures as `scripts/lab-cost --save` writes them.
private struct Figures {
  var host: [String: String] = [:]
  var cells: [(name: String, spectrap: Double, loop: Double)] = []

  /// Those of docs/lab-cost.md.
  static func checkedIn() throws -> Figures {
    var figures = Figures()
    let page = try String(contentsOfFile: Command.checkout + "/docs/lab-cost.md", encoding: .utf8)
    for line in page.split(separator: "\n") {
      for what in ["kernel", "emulator"] where line.hasPrefix("- \(what): ") {
        figures.host[what] = String(line.dropFirst("- \(what): ".count))
      }
      let columns = line.split(separator: "|").map { $0.filter { $0 != " " } }
      guard columns.count == 6, let entry = Double(columns[2]), let loopEntry = Double(columns[3]) else { continue }
      let name = "\(columns[0]) \(columns[1])"
      figures.cells.append((name: name + " entry", spectrap: entry, loop: loopEntry))
      guard let exit = Double(columns[4]), let loopExit = Double(columns[5]) else { continue }
      figures.cells.append((name: name + " exit", spectrap: exit, loop: loopExit))
    }
    try #require(figures.host.count == 2)
    try #require(figures.cells.count > 18)
    return figures
  }

  /// Scales Spectrap's figure of a cell, or Spectrap's and the C loop's.
  mutating func scale(_ name: String, by factor: Double, both: Bool = false) {
    for index in cells.indices where cells[index].name == name {
      cells[index].spectrap *= factor
      if both { cells[index].loop *= factor }
    }
  }

  var text: String {
    (host.map { "\($0.key) \($0.value)" } + cells.map { "cell \($0.name) \($0.spectrap) \($0.loop)" })
      .joined(separator: "\n") + "\n"
  }
}
