// What the program reads: whatever can be read, never too much of it, and what the system says where it cannot be read.

import Glibc
import TestSupport
import Testing

@Suite("A file that is read", .needsKVM, .bounded)
struct InputTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(try ProbeResult.text.get(), to: "host.json")
  }

  @Test(
    "may be a pipe, standard input, or another descriptor",
    arguments: [
      "cat host.json | \"$@\" -", "cat host.json | \"$@\" /dev/stdin", "\"$@\" - <host.json",
      "\"$@\" /dev/fd/3 3<host.json", "mkfifo pipe; cat host.json >pipe & \"$@\" pipe",
    ])
  func streams(script: String) throws {
    let outcome = try folder.run(script, ["contract", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try JSONValue(parsing: outcome.output)["kind"] == .string("contract"))
  }

  @Test("may be a snapshot that comes through a pipe, as it was written into one")
  func snapshot() throws {
    let script = "\"$@\" run ibrs --iterations 100 --snapshot-at 40 - 2>told | \"$1\" resume --json -"
    let outcome = try folder.run(script, [])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try JSONValue(parsing: outcome.output)["exits.byReason.writeMSR"]?.count == 200)
    #expect(folder.text(of: "told")?.contains("ibrs, 100 iterations") == true)
  }

  @Test("and is none is refused with what the system says, whoever reads it: status 66")
  func errors() throws {
    for (path, words) in [
      ("/nonexistent/a", "No such file or directory"), (folder.path, "Is a directory"),
      (folder["host.json/a"], "Not a directory"),
    ] {
      for command in [["contract"], ["inspect"], ["resume"], ["run", "bare", "--contract"]] {
        try Spectrap.run(command + [path]).expectFailure(66, saying: "\(path) cannot be read", words)
      }
      try Spectrap.run("compare", path, path).expectFailure(66, saying: "\(path) cannot be read", words)
    }
  }

  @Test(
    "is refused where it may not be read: status 77",
    .enabled(if: DeviceTests.canDropPrivileges, "root needs setpriv and CAP_SETPCAP to give up its capabilities"))
  func permission() throws {
    #expect(unsafe chmod(folder["host.json"], 0) == 0)
    // Root without its capabilities owns the file still, and may not read it.
    try Spectrap.run(["contract", folder["host.json"]], under: DeviceTests.asNobodySpecial)
      .expectFailure(77, saying: "host.json cannot be read", "Permission denied")
  }

  @Test("is refused where it has no end, or what stands in /proc: status 65")
  func endless() throws {
    try Spectrap.run("contract", "/dev/zero").expectFailure(65, saying: "/dev/zero", "longer than 256 MiB")
    try Spectrap.run("contract", "/proc/self/maps").expectFailure(65, saying: "/proc/self/maps is no result")
    try Spectrap.run("inspect", "/dev/zero").expectFailure(65, saying: "/dev/zero", "not a snapshot")
  }

  @Test("is standard input once")
  func once() throws {
    for command in [["compare", "-", "-"], ["contract", "-", "-"], ["plot", "-", "-", "--output", folder.path]] {
      try Spectrap.run(command).expectUsageError(saying: ["standard input", "once"])
    }
  }
}
