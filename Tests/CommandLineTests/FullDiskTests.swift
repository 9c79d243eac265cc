// Where there is no room for a result, that is found out before anything is measured.
// Facts: unshare(1), mount(8): a file system of a namespace of its own, which goes with the program.

import TestSupport
import Testing

@Suite("A result's file system", .needsKVM, .enabled(if: Disk.canMount, "needs a user who may mount (root)"))
struct FullDiskTests {
  private static let bench = ["bench", "--workload", "out", "--entry", "none"]

  @Test(
    "that is full is found out before anything is measured: status 74", arguments: ["--json", "--csv", "--samples-csv"])
  func full(option: String) throws {
    let start = ContinuousClock.now
    let outcome = try Disk.run(
      Self.bench + ["--time", "600", option, "/mnt/result"], "tmpfs -o size=64k", filled: true)
    // Far below the time that was asked for, and room for a busy machine.
    #expect(ContinuousClock.now - start < .seconds(60))
    outcome.expectFailure(74, saying: "/mnt/result cannot be written", "No space left")
    #expect(outcome.output.isEmpty)
  }

  @Test("that is full, and has standard output, is found out likewise")
  func standardOutput() throws {
    let outcome = try Disk.run(
      Self.bench + ["--time", "600"], "tmpfs -o size=64k", filled: true, redirection: ">/mnt/text")
    outcome.expectFailure(74, saying: "standard output cannot be written", "No space left")
  }

  @Test("that has too little room for raw samples is found out likewise")
  func tooSmall() throws {
    let outcome = try Disk.run(Self.bench + ["--time", "600", "--json", "/mnt/result"], "tmpfs -o size=128k")
    outcome.expectFailure(74, saying: "/mnt/result cannot be written", "No space left")
  }

  @Test(
    "has the result and nothing else in the end, also where it cannot reserve space",
    arguments: ["tmpfs -o size=16m", "ramfs"])
  func room(kind: String) throws {
    let outcome = try Disk.run(
      Self.bench + ["--rounds", "2", "--json", "/mnt/result", "--csv", "/mnt/table"], kind, after: "ls -A /mnt >&2")
    #expect(outcome.status == 0 && outcome.errorLines == ["result", "table"], "\(outcome.errors)")
  }
}

/// A small file system at /mnt, for one program alone.
private enum Disk {
  static let canMount =
    (try? Child(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
      .outcome(by: .now + Spectrap.patience).status) == 0

  /// Runs the program with a file system of this kind, filled to its end where that is wanted; and a command after it.
  static func run(
    _ arguments: [String], _ kind: String, filled: Bool = false, redirection: String = "", after: String = ":"
  ) throws -> Outcome {
    let fill = filled ? "head -c 1000000 /dev/zero > /mnt/filler 2>/dev/null;" : ""
    let script = "mount -t \(kind) none /mnt && { \(fill) \"$@\" \(redirection); status=$?; \(after); exit $status; }"
    return try Spectrap.run(arguments, under: ["unshare", "--mount", "sh", "-c", script, "sh"])
  }
}
