// What `bench` does on a host with KVM: results, files, and every way not to come to its end.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("A benchmark", .needsKVM, .serialized)
struct BenchTests {
  @Test("writes its JSON and its CSV whole, and judges every claim")
  func files() throws {
    let folder = try TemporaryFolder()
    let outcome = try Spectrap.run(
      "bench", "--time", "2", "--workload", "bare", "--workload", "ibrs", "--json", folder["json"], "--csv",
      folder["csv"], "--samples-csv", folder["samples"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.isEmpty, "no progress bar where there is no terminal")
    for words in ["Cost per kernel entry", "C1  ", "C8  ", "seed"] { #expect(outcome.output.contains(words)) }
    #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 100 })

    let report = try JSONValue(parsing: try #require(folder.text(of: "json")))
    #expect(report["schemaVersion"]?.count == 2 && report["kind"] == .string("bench"))
    #expect(report["partial"] == .bool(false))
    let verdicts = (report["verdicts"]?.elements ?? []).compactMap { $0["claim"] }
    #expect(verdicts == (1...9).map { .string("C\($0)") })
    let cells = report["cells"]?.elements ?? []
    #expect(cells.contains { $0["workload"] == .string("ibrs") && $0["status"] == .string("measured") })
    #expect(Set(cells.compactMap { $0["workload"]?.name }) == ["bare", "ibrs"])
    // A carriage return and a line feed are one character here.
    #expect(try #require(folder.text(of: "csv")).split(whereSeparator: \.isNewline).count == cells.count + 1)
    let taken = cells.flatMap { $0["rounds"]?.elements ?? [] }.map(\.elements.count).reduce(0, +)
    #expect(try #require(folder.text(of: "samples")).split(whereSeparator: \.isNewline).count == taken + 1 && taken > 0)
    #expect(folder.names == ["csv", "json", "samples"], "nothing else is left there")
  }

  @Test("has the keys in its JSON that the schema asks for")
  func schema() throws {
    let file = try BenchResult.shared.get()
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/bench.schema.json")
    let text = try #require(TemporaryFile.text(of: url.standardizedFileURL.path))
    let schema = try JSONValue(parsing: text)
    let report = try JSONValue(parsing: file.text)
    #expect(Set(report.members.keys) == Set((schema["required"]?.elements ?? []).map(\.name)))
    let required = Set((schema["$defs.cell.required"]?.elements ?? []).map(\.name))
    try #require(!required.isEmpty)
    for cell in report["cells"]?.elements ?? [] { #expect(required.isSubset(of: cell.members.keys)) }
  }

  @Test("of so many rounds measures them and stops, and takes no time or precision beside")
  func rounds() throws {
    let json = try TemporaryFile()
    let outcome = try Spectrap.run(
      "bench", "--rounds", "3", "--workload", "out", "--entry", "none", "--json", json.path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("3 rounds") && outcome.output.contains("the requested number of rounds"))
    let report = try JSONValue(parsing: json.text)
    #expect(report["ended"] == .string("rounds") && report["roundBudget"] == .integer(3))
    #expect(report["timeBudget"] == .null && report["precision"] == .null)
    for cell in report["cells"]?.elements ?? [] { #expect(cell["rounds"]?.elements.count == 3) }
    for option in ["--time", "--precision"] {
      try Spectrap.run("bench", "--rounds", "3", option, "3").expectUsageError(saying: ["--rounds", option])
    }
    for text in ["0", "-1", "many"] {
      try Spectrap.run("bench", "--rounds=\(text)").expectUsageError(saying: ["--rounds"])
    }
  }

  @Test("refuses to spread no number of rounds, and over a time that is none")
  func spread() throws {
    try Spectrap.run("bench", "--spread", "5").expectUsageError(saying: ["--spread", "--rounds"])
    for text in ["-1", "1e9", "nan", "long"] {
      try Spectrap.run("bench", "--rounds", "5", "--spread=\(text)").expectUsageError(saying: ["--spread"])
    }
  }

  @Test("that is stopped by Ctrl-C prints and writes what it has, marked as partial: status 130")
  func interrupt() throws {
    let folder = try TemporaryFolder()
    let outcome = try Spectrap.interrupt([
      "bench", "--time", "600", "--precision", "0.0001", "--workload", "out", "--entry", "none", "--json",
      folder["json"], "--csv", folder["csv"],
    ])
    outcome.expectFailure(130, saying: "stopped on request")
    #expect(outcome.output.contains("PARTIAL") && outcome.output.contains("cancelled"))
    let report = try JSONValue(parsing: try #require(folder.text(of: "json")))
    #expect(report["partial"] == .bool(true) && report["ended"] == .string("cancelled"))
    #expect(folder.text(of: "csv")?.hasSuffix("\r\n") == true)
    #expect(folder.names == ["csv", "json"], "nothing else is left there")
  }

  @Test(
    "finds a place that it cannot write to before it measures",
    arguments: ["/nonexistent/result", "/tmp", "/proc/result"], ["--json", "--csv", "--samples-csv"])
  func unwritable(path: String, option: String) throws {
    let start = ContinuousClock.now
    let outcome = try Spectrap.run("bench", "--time", "600", option, path)
    // Far below the time that was asked for, and room for a busy machine.
    #expect(ContinuousClock.now - start < .seconds(60))
    #expect([74, 77].contains(outcome.status) && outcome.output.isEmpty)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains(path), "\(outcome.errors)")
  }

  @Test(
    "refuses two outputs that are one file, however it is called, before it measures: status 64",
    arguments: [("--json", "--csv"), ("--json", "--samples-csv"), ("--csv", "--samples-csv")])
  func sameFile(first: String, second: String) throws {
    let file = try TemporaryFile()
    let name = String(file.path.dropFirst("/tmp/".count))
    for other in [file.path, "/tmp/./\(name)", "//tmp/../tmp/\(name)", "/proc/self/root/tmp/\(name)"] {
      try Spectrap.run("bench", "--time", "600", first, file.path, second, other)
        .expectUsageError(saying: [first, second, "same file"])
    }
    let missing = file.path + ".new"
    try Spectrap.run("bench", "--time", "600", first, missing, second, missing).expectUsageError(saying: ["same file"])
    #expect(file.text.isEmpty && TemporaryFile.text(of: missing) == nil)
  }

  @Test("writes to a device as it is, and refuses the one that is always full")
  func devices() throws {
    let quick = ["bench", "--time", "0.1", "--workload", "out", "--entry", "none"]
    let null = try Spectrap.run(quick + ["--json", "/dev/null"])
    #expect(null.status == 0, "\(null.errors)")
    #expect(try Spectrap.run(quick + ["--csv", "/dev/null"]).status == 0, "it is a device still")
    #expect(try Spectrap.run(quick + ["--json", "/dev/null", "--csv", "/dev/null"]).status == 0, "nothing is replaced")
    let full = try Spectrap.run(quick + ["--json", "/dev/full"])
    full.expectFailure(74, saying: "/dev/full", "No space left")
    #expect(full.output.isEmpty, "before anything is measured")
  }

  @Test("refuses names that there are none of, and lists those that there are")
  func unknownNames() throws {
    try Spectrap.run("bench", "--workload", "nonsense")
      .expectUsageError(saying: ["nonsense"] + Spectrap.names(of: "workloads") + Spectrap.names(of: "primitives"))
    try Spectrap.run("bench", "--policy", "nonsense").expectUsageError(saying: Spectrap.names(of: "policies"))
    try Spectrap.run("bench", "--entry", "nonsense").expectUsageError(saying: Spectrap.names(of: "entries"))
  }

  @Test("refuses a precision and a time that are none", arguments: ["0", "-1", "nan", "soon"])
  func numbers(text: String) throws {
    try Spectrap.run("bench", "--precision=\(text)").expectUsageError(saying: ["--precision"])
    try Spectrap.run("bench", "--time=\(text)").expectUsageError(saying: ["--time"])
  }

  @Test("refuses what contradicts itself, and says how")
  func contradictions() throws {
    try Spectrap.run("bench", "--entry", "none", "--workload", "ibrs").expectFailure(64, saying: "entry none", "ibrs")
    try Spectrap.run("bench", "--workload", "probe").expectFailure(64, saying: "probe", "chatty")
  }

  @Test("refuses what this host can run nothing of before it measures, with the reason: status 69")
  func impossible() throws {
    let start = ContinuousClock.now
    let outcome = try Spectrap.run(
      "bench", "--time", "600", "--msr", "0x474f4f00", "--workload", "wrmsr", "--policy", "manual")
    #expect(ContinuousClock.now - start < .seconds(60))
    outcome.expectFailure(69, saying: "none of the selected cells can be measured", "wrmsr/none/manual", "0x474f4f00")
    #expect(outcome.output.isEmpty)
  }

  @Test("refuses a policy that this host cannot run, as `run` does: what it would measure is about another register")
  func impossiblePolicy() throws {
    for name in try Spectrap.names(of: "policies") {
      let run = try Spectrap.run("run", "bare", "--policy", name, "--iterations", "10")
      guard run.status == 69 else { continue }
      let outcome = try Spectrap.run("bench", "--time", "600", "--policy", name)
      outcome.expectFailure(69, saying: "none of the selected cells can be measured", "/\(name)")
      #expect(outcome.output.isEmpty)
    }
  }

  /// What a benchmark warns of that `disturb` does something to once it is under way.
  private func warnings(_ disturb: (pid_t) -> Void) throws -> [String] {
    let json = try TemporaryFile()
    let arguments = ["--rounds", "200", "--spread", "0", "--workload", "out", "--entry", "none", "--json", json.path]
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child([Spectrap.path, "bench"] + arguments)
    try child.awaitBlocked(SIGINT, by: deadline)
    disturb(child.pid)
    let outcome = try child.outcome(by: deadline)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let warnings = try JSONValue(parsing: json.text)["warnings"]?.elements.map(\.name) ?? []
    for warning in warnings { #expect(outcome.output.contains("WARNING   \(warning.prefix(30))")) }
    return warnings
  }

  @Test("that was stopped meanwhile says so")
  func stopped() throws {
    let warnings = try warnings { pid in
      // Many times: between two guests nobody minds.
      for _ in 0..<30 {
        kill(pid, SIGSTOP)
        usleep(150_000)
        kill(pid, SIGCONT)
        usleep(23_000)
      }
    }
    #expect(warnings.contains { $0.contains("was held up for") }, "\(warnings)")
  }

  @Test("that signals rained on says so")
  func signals() throws {
    let warnings = try warnings { pid in
      for _ in 0..<400 {
        // The one that ends runs, from somebody else.
        kill(pid, __libc_current_sigrtmin())
        usleep(1_500)
      }
    }
    #expect(warnings.contains { $0.contains("interrupted guests while they were measured") }, "\(warnings)")
  }

  @Test("refuses a processor that there is none of")
  func processor() throws {
    for cpu in ["9999", "8191", "-1"] {
      try Spectrap.run("bench", "--cpu=\(cpu)").expectUsageError(saying: ["'\(cpu)'", "--cpu"])
    }
  }
}
