// Where this process may have too little of something: what could not be tried is not known, and never a fact about the
// host.
// Facts: prlimit(1), getrlimit(2) (RLIMIT_SIGPENDING: timers; RLIMIT_NOFILE: descriptors).

import TestSupport
import Testing

@Suite("A shortage", .needsKVM, .enabled(if: Shortage.canLimit, "needs prlimit(1)"))
struct ShortageTests {
  private static let noTimers = ["prlimit", "--sigpending=0"]
  private static let entries = ["syscall", "sysenter", "breakpoint", "undefined"]

  @Test("of timers leaves every entry not known, with the reason, in text and JSON: status 71")
  func probe() throws {
    let text = try Spectrap.run("probe", under: Self.noTimers)
    text.expectFailure(71, saying: "not known what works on this host", "ulimit -i")
    for entry in Self.entries {
      let line = text.output.split(separator: "\n").first { $0.hasPrefix("entry \(entry) ") }
      #expect(line?.contains(" ? ") == true && line?.contains("not known") == true, "\(line ?? "no line")")
    }
    let json = try JSONValue(parsing: try Spectrap.run("probe", "--json", under: Self.noTimers).output)
    for entry in Self.entries {
      #expect(json["host.entries.\(entry).works"] == .null)
      #expect(json["host.entries.\(entry).seen"]?.name.contains("ulimit -i") == true)
    }
    #expect(json["host.specCtrlProof.works"] != .null, "that proof needs no timer")
  }

  @Test("of timers leaves what depends on an entry not known in the list: status 71")
  func list() throws {
    let outcome = try Spectrap.run("list", "--json", under: Self.noTimers)
    outcome.expectFailure(71, saying: "ulimit -i")
    let json = try JSONValue(parsing: outcome.output)
    for item in json["entries"]?.elements ?? [] where item.name != "none" { #expect(item["works"] == .null) }
    let bare = json["workloads"]?.elements.first { $0.name == "bare" }
    #expect(bare?["works"] == .null || bare?["works"] == .bool(true), "never no")
  }

  @Test(
    "of timers ends what needs an entry or a run with 71, never 69",
    arguments: [
      ["run", "ibrs"], ["run", "ibrs", "--entry", "breakpoint"], ["run", "ibrs", "--entry", "none"],
      ["bench", "--rounds", "1", "--workload", "bare"],
    ])
  func runs(arguments: [String]) throws {
    let outcome = try Spectrap.run(arguments, under: Self.noTimers)
    #expect(outcome.status == 71, "\(outcome.errors)")
    #expect(outcome.errors.contains("ulimit -i"))
  }
}

private enum Shortage {
  static let canLimit =
    (try? Child(["prlimit", "--sigpending=0", "true"]).outcome(by: .now + Spectrap.patience).status) == 0
}
