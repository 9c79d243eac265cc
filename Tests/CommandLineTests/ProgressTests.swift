// What a terminal shows while a benchmark goes on.
// Facts: script(1) runs a program on a terminal of its own.

import TestSupport
import Testing

@Suite(
  "A benchmark on a terminal", .needsKVM,
  .enabled(
    if: (try? Child(["script", "--version"]).outcome(by: .now + Spectrap.patience).status) == 0, "needs script(1)"))
struct ProgressTests {
  @Test(
    "shows how far it is and the time left, also of so many rounds", arguments: [["--rounds", "3"], ["--time", "1"]])
  func bar(length: [String]) throws {
    let command = ([Spectrap.path, "bench", "--workload", "out", "--entry", "none"] + length).joined(separator: " ")
    let outcome = try Child(["script", "--quiet", "--return", "--command", command, "/dev/null"])
      .outcome(by: .now + Spectrap.patience)
    #expect(outcome.status == 0, "\(outcome.output)")
    let bars = outcome.output.split(separator: "\r").filter { $0.hasPrefix("[#") }
    #expect(bars.count > 1 && bars.allSatisfy { $0.contains(/^\[#+\.*\] \d+ s left/) }, "\(bars)")
    if length[0] == "--rounds" {
      #expect(bars.last?.hasPrefix("[\(String(repeating: "#", count: 40))] 0 s left") == true)
    }
  }
}
