// A run that does not come to its end: by its time limit, or by Ctrl-C.

import TestSupport
import Testing

@Suite("A run that is stopped", .needsKVM)
struct StoppingTests {
  /// A run that no host comes to the end of in the time.
  private func endless(_ workload: String, limit: String) -> [String] {
    ["run", workload, "--entry", "none", "--iterations", "4000000000", "--time-limit", limit]
  }

  @Test("by its time limit prints its partial counts: status 75")
  func timeLimit() throws {
    let outcome = try Spectrap.run(endless("chatty", limit: "0.3") + ["--json"])
    outcome.expectFailure(75, saying: "stopped after 0.3 s", "partial", "--time-limit")
    try expectPartial(outcome, "timeLimit")
    let text = try Spectrap.run(endless("chatty", limit: "0.3"))
    #expect(text.status == 75 && text.output.contains("NOT COMPLETED") && text.output.contains("portOut"))
  }

  @Test("by Ctrl-C prints its partial counts within a second: status 130", arguments: ["chatty", "retpoline"])
  func interrupt(workload: String) throws {
    let outcome = try Spectrap.interrupt(endless(workload, limit: "0") + ["--json"])
    outcome.expectFailure(130, saying: "stopped on request", "partial")
    #expect(try #require(outcome.timeToStop) < .seconds(1))
    let result = try JSONValue(parsing: outcome.output)
    #expect(result["completed"] == .bool(false) && result["stopped"] == .string("cancelled"))
    #expect(result["guest.kernelEntries"] == .null, "the guest tells at its end")
    if workload == "chatty" { try expectPartial(outcome, "cancelled") }
  }

  private func expectPartial(_ outcome: Outcome, _ reason: String) throws {
    let result = try JSONValue(parsing: outcome.output)
    #expect(result["completed"] == .bool(false) && result["stopped"] == .string(reason))
    let total = try #require(result["exits.total"]?.count)
    #expect(total > 0 && total < 4_000_000_000 && result["exits.byReason.portOut"]?.count == total)
    #expect(result["exits.interruptions"]?.count ?? 0 >= 1)
  }
}
