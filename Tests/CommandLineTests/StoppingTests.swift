// A run that does not come to its end: by its time limit, or by Ctrl-C.

import Glibc
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

  @Test("by Ctrl-C prints its partial counts at once: status 130", arguments: ["chatty", "retpoline"])
  func interrupt(workload: String) throws {
    let outcome = try Spectrap.interrupt(endless(workload, limit: "0") + ["--json"])
    outcome.expectFailure(130, saying: "stopped on request", "partial")
    // The guest itself would take hours. Beside a thousand other tests, at once is some seconds.
    #expect(try #require(outcome.timeToStop) < .seconds(60))
    let result = try JSONValue(parsing: outcome.output)
    #expect(result["completed"] == .bool(false) && result["stopped"] == .string("cancelled"))
    #expect(result["guest.kernelEntries"] == .null, "the guest tells at its end")
    if workload == "chatty" { try expectPartial(outcome, "cancelled") }
  }

  @Test("by its time limit, or by Ctrl-C, ends also where nobody reads its trace", arguments: [true, false])
  func unreadTrace(byLimit: Bool) throws {
    // The shell holds the pipe's other end, so that writing to it neither fails nor goes on.
    let script = """
      pipe=$(mktemp -u) && mkfifo "$pipe" && exec 3<>"$pipe" && rm "$pipe" && exec "$@" 2>&3
      """
    let arguments = endless("chatty", limit: byLimit ? "1" : "0") + ["--trace", "--json"]
    let child = try Child(["bash", "-c", script, "trace", Spectrap.path] + arguments)
    let deadline = ContinuousClock.now + .seconds(60)
    if !byLimit {
      // Until then it is the shell.
      while child.fact("Name") != "spectrap" && ContinuousClock.now < deadline { usleep(1_000) }
      // By then it waits for its reader.
      sleep(3)
      _ = try child.interruptWhenReady(by: deadline)
    }
    let outcome = try child.outcome(by: deadline)
    #expect(outcome.status == (byLimit ? 75 : 130))
    try expectPartial(outcome, byLimit ? "timeLimit" : "cancelled")
  }

  private func expectPartial(_ outcome: Outcome, _ reason: String) throws {
    let result = try JSONValue(parsing: outcome.output)
    #expect(result["completed"] == .bool(false) && result["stopped"] == .string(reason))
    let total = try #require(result["exits.total"]?.count)
    // Ctrl-C may come before the guest's first exit.
    #expect(total > 0 || reason == "cancelled")
    #expect(total < 4_000_000_000 && result["exits.byReason.portOut"]?.count ?? 0 == total)
    #expect(result["exits.interruptions"]?.count ?? 0 >= 1 || total == 0)
  }
}

@Suite("A run whose signals nobody can wait for")
struct SignalTests {
  /// So that no thread can be made: root is bound by no such limit, and becomes somebody who is.
  private static let withoutThreads =
    (geteuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []) + ["prlimit", "--nproc=1"]
  /// Whether that works, for a user who may run the program at all.
  private static let canBeTried =
    (try? Child(withoutThreads + [Spectrap.path, "--version"]).outcome(by: .now + Spectrap.patience))?.status == 0

  @Test(
    "does not start: status 71, and what to do",
    .enabled(if: canBeTried, "needs setpriv and prlimit (util-linux), and a program that others may run"))
  func noThread() throws {
    for arguments in [["run", "bare"], ["run", "bare", "--json"]] {
      let outcome = try Spectrap.run(arguments, under: Self.withoutThreads)
      outcome.expectFailure(71, saying: "no thread can be made to wait for Ctrl-C", "ulimit -u", "pids.max")
      #expect(outcome.output.isEmpty)
    }
  }
}
