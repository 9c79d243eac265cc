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
    // The entry isolated needs no timer where it cannot work: without PCID.
    for item in json["entries"]?.elements ?? [] where item.name != "none" {
      #expect(item["works"] == .null || item.name == "isolated" && item["works"] == .bool(false))
    }
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

// Facts: strace(1), "Tampering": inject=CALL:error=ERROR:when=N.

/// What comes of a system call that fails: the program says which one, and with which error.
@Suite("A system call that fails", .needsKVM, .enabled(if: Shortage.canInject, "needs strace(1)"))
struct FailingCallTests {
  /// The command that has `call` fail with `error`, each time or the n-th time alone.
  private static func failing(_ call: String, _ error: String, only count: Int? = nil) -> [String] {
    let when = count.map { ":when=\($0)..\($0)" } ?? ""
    return ["strace", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):error=\(error)\(when)"]
  }

  @Test("while a socket is made is a shortage, not somebody who listens there: status 71")
  func socket() throws {
    let folder = try TemporaryFolder()
    try Spectrap.run("receive", "unix:" + folder["there"], under: Self.failing("socket", "ENOBUFS"))
      .expectFailure(71, saying: "making a socket", "No buffer space")
  }

  @Test("in a benchmark leaves its cell without a result, and standard error says why: status 70")
  func cell() throws {
    // A benchmark of these two makes some 5000 such calls, nearly all KVM_RUN, and hundreds before its first cell.
    let outcome = try Spectrap.run(
      "bench", "--rounds", "1", "--workload", "bare", "--workload", "ibrs",
      under: Self.failing("ioctl", "EIO", only: 3000))
    outcome.expectFailure(70, saying: "gave no result", "KVM refused KVM_", "Input/output error")
    #expect(outcome.output.contains("Cost per kernel entry"), "the rest is shown")
  }

  @Test("while signals are waited for, before the sandbox closes, does not end a guest")
  func signals() throws {
    let folder = try TemporaryFolder()
    let made = try Spectrap.run("run", "ibrs", "--iterations", "2000", "--snapshot-at", "500", folder["snapshot"])
    try #require(made.status == 0, "\(made.errors)")
    let resumed = try Spectrap.run("resume", folder["snapshot"], under: Self.failing("rt_sigtimedwait", "EINVAL"))
    #expect(resumed.status == 0 && resumed.output.contains("4000"), "\(resumed.errors)")
  }
}

private enum Shortage {
  static let canInject =
    (try? Child(["strace", "-o", "/dev/null", "true"]).outcome(by: .now + Spectrap.patience).status) == 0
  static let canLimit =
    (try? Child(["prlimit", "--sigpending=0", "true"]).outcome(by: .now + Spectrap.patience).status) == 0
}
