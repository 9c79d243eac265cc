// The sandbox around a foreign guest: what it refuses, by a program that tries; and that a real guest lives in it.

import Glibc
import TestSupport
import Testing

@Suite("The sandbox", .bounded)
struct SandboxTests {
  private func probe(_ layers: String, _ attempt: String) throws -> Outcome {
    try Child([Spectrap.folder + "SandboxProbe", layers, attempt]).outcome(by: .now + Spectrap.patience)
  }

  /// What no foreign guest is to have, with the number of the system call.
  private static let forbidden = [
    ("remove", 84), ("socket", 41), ("execute", 59), ("fork", 57),
    ("executable memory", 9), ("terminal", 16), ("new VM", 16), ("signal", 62), ("signal to a thread", 234),
    ("limit", 302), ("handler", 13),
  ]

  @Test(
    "ends the program that makes a call which is not allowed, with the call's number: status 70", arguments: forbidden)
  func refuses(attempt: String, number: Int) throws {
    // Outside of it the attempt is possible, so that a refusal is the sandbox's.
    let free = try probe("none", attempt)
    #expect(free.status == 0 && free.output.hasSuffix("done\n"), "\(free.output)\(free.errors)")
    let outcome = try probe("seccomp", attempt)
    #expect(outcome.status == 70, "\(outcome.output)\(outcome.errors)")
    #expect(outcome.output == "closed\n")
    #expect(outcome.errors.hasPrefix("spectrap: the sandbox refused system call \(number) and ends the program"))
  }

  @Test("refuses to open and to make files, in the filter and, where the kernel has it, in Landlock, each by itself")
  func files() throws {
    for attempt in ["open", "create"] {
      #expect(try probe("none", attempt).status == 0)
      for layers in ["seccomp", "landlock", "all"] {
        let outcome = try probe(layers, attempt)
        if layers == "landlock", outcome.output.contains("lacks: this kernel has no Landlock") { continue }
        #expect(
          outcome.status == 1 && outcome.output.hasSuffix("error: Permission denied\n"), "\(layers): \(outcome.output)")
      }
    }
  }

  @Test("kills for a call of another ABI, which no handler can answer")
  func otherABI() throws {
    #expect(try probe("none", "x32").status == 0)
    #expect(try probe("seccomp", "x32").status == 128 + SIGSYS)
  }

  @Test("lets memory, threads, clocks and hash tables work, and a crash be one")
  func allows() throws {
    let work = try probe("all", "work")
    #expect(work.status == 0 && work.output.hasSuffix("closed\ndone\n"), "\(work.output)\(work.errors)")
    #expect(try probe("all", "abort").status == 128 + SIGABRT)
  }

  /// Checks that every thread of a process has the filter, and no way to new privileges; how many there are.
  private func checkThreads(of child: Child) throws -> Int {
    let threads = try Self.threads(of: child.pid)
    for thread in threads {
      let facts = TemporaryFile.text(of: "/proc/\(child.pid)/task/\(thread)/status") ?? ""
      #expect(facts.contains("\nSeccomp:\t2\n") && facts.contains("\nNoNewPrivs:\t1\n"), "thread \(thread): \(facts)")
    }
    return threads.count
  }

  private static func threads(of process: pid_t) throws -> [String] {
    // Safe: the folder is closed below, and each entry is read before the next.
    guard let folder = unsafe opendir("/proc/\(process)/task") else { throw ChildError(description: "no such process") }
    defer { unsafe _ = closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  /// Waits until the sandbox of a program is closed.
  private func awaitClosed(_ child: Child, by deadline: ContinuousClock.Instant) throws {
    while child.fact("Seccomp") != "2" {
      guard ContinuousClock.now < deadline, child.fact("State")?.hasPrefix("Z") == false else {
        throw ChildError(description: "its sandbox was never closed: \(child.errors.text)")
      }
      usleep(1_000)
    }
  }

  /// A guest of `chatty` that has been stopped at its first iteration.
  private func guest(iterations: Int, policy: String = "emulate") throws -> TemporaryFile {
    let file = try TemporaryFile()
    let outcome = try Spectrap.run(
      "run", policy == "emulate" ? "chatty" : "ibrs", "--policy", policy, "--iterations", "\(iterations)",
      "--snapshot-at", "1", file.path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return file
  }

  @Test("is around every thread of resume, whose guest is stopped by Ctrl-C and by the deadline there", .needsKVM)
  func resume() throws {
    let file = try guest(iterations: 1_000_000)
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child([Spectrap.path, "resume", file.path])
    try awaitClosed(child, by: deadline)
    #expect(try checkThreads(of: child) >= 2)
    _ = try child.interruptWhenReady(by: deadline)
    let outcome = try child.outcome(by: deadline)
    #expect(outcome.status == 130 && outcome.output.contains("portOut"), "\(outcome.errors)")
    let late = try Spectrap.run("resume", file.path, "--time-limit", "0.2", "--json")
    #expect(late.status == 75 && late.output.contains("\"completed\" : false"), "\(late.errors)")
  }

  @Test("changes no result: a guest ends in it and without it with the same counts", .needsKVM)
  func results() throws {
    for policy in ["emulate", "shadow", "adaptive"] {
      let file = try guest(iterations: 500, policy: policy)
      let counts = try [[], ["--no-sandbox"]].map { options in
        let outcome = try Spectrap.run(["resume", file.path, "--json"] + options)
        #expect(outcome.status == 0, "\(policy): \(outcome.errors)")
        return try JSONValue(parsing: outcome.output)
      }
      #expect(counts[0]["completed"] == .bool(true))
      for key in ["exits.total", "exits.byMSR.0x48.writes", "guest.kernelEntries"] {
        #expect(counts[0][key] == counts[1][key], "\(policy): \(key)")
      }
    }
  }

  @Test("is left out with --no-sandbox", .needsKVM)
  func leftOut() throws {
    let file = try guest(iterations: 1_000_000)
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child([Spectrap.path, "resume", file.path, "--no-sandbox"])
    _ = try child.interruptWhenReady(by: deadline)
    #expect(child.fact("Seccomp") != "2")
    #expect(try child.outcome(by: deadline).status == 130)
  }

  @Test("is around both sides of a move while the guest runs, and the socket's file is gone in the end", .needsKVM)
  func move() throws {
    let file = try guest(iterations: 40_000)
    let place = try TemporaryFile()
    // Safe: the path is a string, which lives for the length of the call.
    unsafe _ = unlink(place.path)
    let deadline = ContinuousClock.now + Spectrap.patience
    let destination = try Child([Spectrap.path, "receive", "unix:\(place.path)", "--json"])
    try destination.awaitErrors("waiting for a guest", by: deadline)
    let source = try Spectrap.run("migrate", "--from", file.path, "--to", "unix:\(place.path)", "--json")
    #expect(source.status == 0 && source.output.contains("\"rounds\""), "\(source.errors)")
    try awaitClosed(destination, by: deadline)
    #expect(try checkThreads(of: destination) >= 2)
    let outcome = try destination.outcome(by: deadline)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try JSONValue(parsing: outcome.output)["exits.total"]?.count == 40_001)
    #expect(unsafe access(place.path, F_OK) != 0)
  }

  @Test("is never around what measures: run, bench and probe have no such option")
  func neverMeasures() throws {
    for command in [["run", "bare"], ["bench"], ["probe"]] {
      #expect(try Spectrap.run(command + ["--no-sandbox"]).status == 64)
    }
  }
}
