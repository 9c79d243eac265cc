// The script of a job, run by this machine's sh with programs that stand in for spectrap.

import FoundationEssentials
import Measurement
import TestSupport
import Testing

@testable import Fleet

@Suite("The script of a host's job", .bounded)
struct JobScriptTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  /// Runs the script with a program that is this script of sh.
  private func run(
    _ program: String, _ words: [String] = ["bench"], on node: String = "node1", in path: String? = nil
  ) async throws -> Int {
    try folder.write("#!/bin/sh\n\(program)\n", to: "spectrap", executable: true)
    let script = JobScript(
      host: try HostName("node1"), folder: path ?? folder.path, command: try FleetCommand(words), isInstalled: false)
    return try await Tool.run(
      ["env", "SLURMD_NODENAME=\(node)", "sh", "-s"], input: script.text, within: .seconds(1200)
    ).status
  }

  private var status: HostStatus? {
    get throws {
      try folder.text(of: "node1.status.json").map { try JSONDecoder().decode(HostStatus.self, from: Data($0.utf8)) }
    }
  }

  /// Writes what it was told, each word on a line, to the file of its last word.
  private static let echo = #"for last; do :; done; printf '%s\n' "$@" >"$last"; echo said >&2"#

  @Test("leaves the result, the standard error and the status, and nothing else")
  func files() async throws {
    #expect(try await run(Self.echo, ["bench", "--rounds", "8"]) == 0)
    #expect(folder.names == ["node1.err", "node1.json", "node1.status.json", "spectrap"])
    #expect(folder.text(of: "node1.json")?.hasPrefix("bench\n--rounds\n8\n--host-id\nnode1\n--json\n") == true)
    #expect(folder.text(of: "node1.err") == "said\n")
    let status = try #require(try status)
    #expect(status.host == "node1" && status.exitStatus == 0 && status.kind == "status" && status.schemaVersion == 1)
    #expect(status.began.count == 20 && status.began <= status.ended)
  }

  @Test("takes the result of commands that print it")
  func printed() async throws {
    #expect(try await run(#"printf '%s ' "$@""#, ["run", "bare"]) == 0)
    #expect(folder.text(of: "node1.json") == "run bare --host-id node1 --json ")
  }

  @Test("gives every word to the program as it is")
  func words() async throws {
    let hostile = ["'", "\"", "$(touch x)", "`touch x`", "a b", "*", "\\", "a\nb", "", "; touch x", "-n", "''"]
    #expect(try await run(Self.echo, ["bench"] + hostile) == 0)
    let words = (["bench"] + hostile + ["--host-id", "node1", "--json", ""]).joined(separator: "\n")
    #expect(folder.text(of: "node1.json")?.hasPrefix(words) == true)
    #expect(!folder.names.contains("x"))
  }

  @Test(
    "writes the status of a program that fails, crashes or is not there",
    arguments: [
      ("echo no >&2; exit 69", 69), ("kill -9 $$", 137), ("kill -11 $$", 139), ("exec /nonexistent", 127),
    ])
  func failures(program: String, status: Int) async throws {
    #expect(try await run(program) == status)
    #expect(try self.status?.exitStatus == status)
    #expect(folder.text(of: "node1.json") == nil)
    #expect(folder.names == ["node1.err", "node1.status.json", "spectrap"])
  }

  @Test("keeps the result of a program that fails after it has written one")
  func failedResult() async throws {
    #expect(try await run(Self.echo + "; exit 70") == 70)
    #expect(folder.text(of: "node1.json") != nil)
    #expect(try status?.exitStatus == 70)
  }

  @Test("goes on at a signal until the program has ended, and writes its status")
  func signal() async throws {
    // As Slurm does: the script and the program get the signal.
    #expect(try await run("kill -TERM $PPID; sleep 0.3; exit 130") == 130)
    #expect(try status?.exitStatus == 130)
  }

  @Test("measures nothing on another node than its own")
  func otherNode() async throws {
    #expect(try await run(Self.echo, on: "node2") == 70)
    #expect(folder.text(of: "node1.err") == "the job of node1 was given the node node2\n")
    #expect(folder.text(of: "node1.json") == nil)
  }

  @Test("tells by its status that the node has no such folder")
  func noFolder() async throws {
    #expect(try await run(Self.echo, in: folder["none"]) == JobScript.noFolder)
    #expect(folder.names == ["spectrap"])
  }

  @Test("works in a folder of any name")
  func folderName() async throws {
    let path = folder["it's $(a) \"folder\"\nof two lines"]
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(try await run(Self.echo, in: path) == 127)
    #expect(FileManager.default.fileExists(atPath: path + "/node1.status.json"))
  }
}

@Suite("A program of Slurm", .bounded)
struct ToolTests {
  @Test("that hangs is ended")
  func hangs() async throws {
    let error = await #expect(throws: FleetError.self) {
      try await Tool.run(["sleep", "1000"], within: .milliseconds(200))
    }
    #expect(error?.kind == .timedOut)
    #expect(error?.description == "sleep has not answered within 0 s")
  }

  @Test("that is not there is told by its name")
  func missing() async throws {
    let error = await #expect(throws: FleetError.self) { try await Tool.run(["spectrap-no-such-program"]) }
    #expect(error?.kind == .unavailable)
    #expect(error?.description.contains("\"spectrap-no-such-program\" in PATH") == true)
  }

  @Test("that prints without end is not read without end")
  func floods() async throws {
    let error = await #expect(throws: FleetError.self) { try await Tool.run(["yes"], within: .seconds(1200)) }
    #expect(error?.kind == .dataError)
  }

  @Test("has its status, its output and what it says of a failure")
  func answers() async throws {
    let answer = try await Tool.run(
      ["sh", "-c", "cat; echo; echo no >&2; exit 3"], input: "in", within: .seconds(1200))
    #expect(answer == Tool.Answer(status: 3, output: "in\n", errors: "no\n"))
    #expect(answer.complaint == "no")
    #expect(try await Tool.run(["sh", "-c", "kill -9 $$"], within: .seconds(1200)).status == 137)
  }
}
