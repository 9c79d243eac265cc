// What a terminal shows while a benchmark goes on.

import TestSupport
import Testing

@Suite("A benchmark on a terminal", .needsKVM, .needsTerminal)
struct ProgressTests {
  @Test(
    "shows how far it is and the time left, also of so many rounds", arguments: [["--rounds", "3"], ["--time", "4"]])
  func bar(length: [String]) throws {
    let outcome = try Spectrap.run(
      ["bench", "--workload", "out", "--entry", "none"] + length, onTerminal: Terminal(columns: 100))
    #expect(outcome.status == 0, "\(outcome.output)")
    let bars = outcome.output.split(separator: "\r").filter { $0.hasPrefix("[#") }
    #expect(bars.count > 1 && bars.allSatisfy { $0.contains(/^\[#+\.*\] \d+ s left/) }, "\(bars)")
    if length[0] == "--rounds" {
      #expect(bars.last?.hasPrefix("[\(String(repeating: "#", count: 40))] 0 s left") == true)
    }
  }

  @Test("shows a bar that fits its lines, or none where it could not", arguments: [30, 45, 24, 12])
  func narrow(columns: Int) throws {
    let outcome = try Spectrap.run(
      ["bench", "--workload", "out", "--entry", "none", "--rounds", "3"], onTerminal: Terminal(columns: columns))
    let bars = outcome.output.split(separator: "\r").filter { $0.hasPrefix("[") }
    #expect(bars.isEmpty == (columns < 24), "\(bars)")
    #expect(bars.allSatisfy { $0.count < columns && $0.contains(" s left") }, "\(bars)")
  }

  @Test("shows no bar where lines cannot be replaced", arguments: ["dumb", ""])
  func dumb(name: String) throws {
    let outcome = try Spectrap.run(
      ["bench", "--workload", "out", "--entry", "none", "--rounds", "2"],
      onTerminal: Terminal(columns: 100, name: name))
    #expect(outcome.status == 0 && !outcome.output.contains("s left") && outcome.output.contains("single instructions"))
  }
}
