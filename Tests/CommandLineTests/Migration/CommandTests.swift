// A guest that moves over a command, as over ssh.

import Glibc
import TestSupport
import Testing

@Suite("A migration over a command", .needsKVM, .serialized, .bounded)
struct CommandTests {
  private static let receive = "exec:\(Spectrap.path) receive stdio:"

  private func migrate(_ address: String, from guest: String? = nil, _ more: String...) throws -> Outcome {
    try Spectrap.run(
      ["migrate", "--from", guest ?? MigrationTests.guest.get().path, "--to", address] + MigrationTests.unhurried + more
    )
  }

  @Test("moves the guest, and waits for the command, which prints the destination's result on standard error")
  func moves() throws {
    let outcome = try migrate("\(Self.receive) --json", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try JSONValue(parsing: outcome.output)
    #expect(report["kind"] == .string("migration") && report["bytesPerSecond"] != .null)
    #expect(outcome.errors.contains("runs here"), "\(outcome.errors)")
    let lines = outcome.errors.split(separator: "\n").filter { !$0.hasPrefix("spectrap: ") }
    let result = try JSONValue(parsing: lines.joined(separator: "\n"))
    #expect(result["completed"] == .bool(true) && result["origin"] != .null)
    #expect(result["exits.byMSR.0x48.writes"]?.count == 2 * MigrationTests.iterations)
  }

  @Test("says at the end for how long the guest was stopped, and how fast its memory was sent")
  func text() throws {
    let outcome = try migrate(Self.receive)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let words = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(words.contains("It was stopped for") && words.contains("MiB/s."), "\(outcome.output)")
  }

  @Test(
    "that fails leaves the guest at the source, which says how the command ended: status 70",
    arguments: [
      ("exit 3", "ended with exit status 3"), ("kill -9 $$", "was ended by signal 9"),
      ("exec >&-; sleep 1", "still runs"), ("echo this is no offer", "broke the protocol"),
    ])
  func failing(command: String, words: String) throws {
    let outcome = try migrate("exec:\(command)", "--json")
    #expect(outcome.status == 70 && outcome.errors.contains(words), "\(outcome.errors)")
    #expect(outcome.errors.contains("the guest stayed here"))
    #expect(try JSONValue(parsing: outcome.output)["completed"] == .bool(true))
  }

  @Test("warns where the command fails after the guest has moved")
  func failsLater() throws {
    let outcome = try migrate("\(Self.receive); exit 5", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("ended with exit status 5, after the guest had moved"), "\(outcome.errors)")
  }

  @Test("is refused by a destination that takes no such guest, which says why")
  func refused() throws {
    let outcome = try migrate("\(Self.receive) --msr IA32_KERNEL_GS_BASE")
    #expect(outcome.status == 69 && outcome.errors.contains("the guest may not move there"), "\(outcome.errors)")
    #expect(outcome.errors.contains("no guest arrived"), "the destination's own words: \(outcome.errors)")
  }

  @Test("is ordered of a guest that another process runs: that process starts the command, and waits for it")
  func ordered() throws {
    let folder = try MigrationTests.Folder()
    let desk = folder.path + "/desk"
    let deadline = ContinuousClock.now + Spectrap.patience
    let runner = try Child([
      Spectrap.path, "run", "ibrs", "--iterations", "20000", "--migratable", "unix:\(desk)", "--json",
    ])
    while unsafe access(desk, F_OK) != 0 { usleep(1_000) }
    let moved = try migrate("\(Self.receive) --json", from: "unix:\(desk)", "--json")
    #expect(moved.status == 0, "\(moved.errors)")
    let left = try runner.outcome(by: deadline)
    #expect(left.status == 0 && left.errors.contains("runs here"), "\(left.errors)")
    #expect(left.errors.contains("\"completed\" : true"), "\(left.errors)")
  }

  @Test("whose streams are closed, or end without a guest, fails at once")
  func streams() throws {
    let closed = try Spectrap.run(["receive", "stdio:"], under: ["sh", "-c", "exec \"$@\" <&- >&-", "sh"])
    #expect(closed.status != 0 && closed.errors.hasPrefix("spectrap: "), "\(closed.errors)")
    let empty = try Spectrap.run("receive", "stdio:")
    #expect(empty.status == 69 && empty.errors.contains("no guest arrived"), "\(empty.errors)")
  }
}
