// Measuring over ssh, with a script in place of ssh that runs the line on this machine.

import FoundationEssentials
import Glibc
import Measurement
import TestSupport
import Testing

@testable import Fleet

@Suite("A host over ssh", .bounded)
struct SSHTests {
  private let folder: Folder

  init() throws {
    // As the program does: a host that ends before it has read everything is no reason to end.
    _ = signal(SIGPIPE, SIG_IGN)
    folder = try Folder()
    for name in ["remote", "bin"] {
      try FileManager.default.createDirectory(atPath: folder[name], withIntermediateDirectories: true)
    }
    // The last two words are the host and the line, as sshd gives it to the login shell.
    try folder.write(
      """
      #!/bin/sh
      while [ $# -gt 2 ]; do shift; done
      [ "$1" != down ] || { echo 'ssh: connect to host down port 22: Connection refused' >&2; exit 255; }
      export TMPDIR='\(folder.path)/remote' PATH='\(folder.path)/bin':$PATH FLEET_HOST="$1"
      echo 'a greeting that every login prints'
      exec sh -c "$2"
      """, to: "ssh", executable: true)
  }

  private func plan(_ hosts: [String], timeLimit: Duration = .seconds(60)) throws -> FleetPlan {
    try FleetPlan(
      hosts: try hosts.map { try HostName($0) }, command: try FleetCommand(["bench", "--rounds", "8"]),
      folder: try .new(folder["fleet"]), isInstalled: true, timeLimit: timeLimit)
  }

  /// Measures with a program that is this script of sh.
  private func measure(
    _ plan: FleetPlan, by program: String, atOnce limit: Int = 8,
    until isCancelled: @escaping @Sendable () -> Bool = { false }
  ) async throws -> [HostOutcome] {
    try folder.write("#!/bin/sh\n\(program)\n", to: "bin/spectrap", executable: true)
    let run = SSHRun(plan, by: try SSH(command: folder["ssh"]), atOnce: limit, isCancelled: isCancelled, show: { _ in })
    return try await run.measure()
  }

  private static let whole = #"echo '{"schemaVersion":6}' >"$7"; echo "$FLEET_HOST" >&2"#

  @Test("gives its result, its standard error and its status; what fails and what is down is told apart")
  func outcomes() async throws {
    let plan = try plan(["a", "b", "down", "noisy"])
    let outcomes = try await measure(
      plan,
      by: """
        case $FLEET_HOST in
          b) echo 'spectrap: no KVM' >&2; exit 69 ;;
          noisy) head -c 3000000 /dev/zero >&2; exit 70 ;;
        esac
        \(Self.whole)
        """)
    #expect(
      Array(outcomes.prefix(3)) == [
        HostOutcome(plan.hosts[0], .measured),
        HostOutcome(plan.hosts[1], .failed(status: 69, message: "spectrap: no KVM")),
        HostOutcome(plan.hosts[2], .missing(reason: "ssh: connect to host down port 22: Connection refused")),
      ])
    guard case .failed(status: 70, _) = outcomes[3].end else {
      Issue.record("\(outcomes[3])")
      return
    }
    #expect(FleetProgress(outcomes).summary == "1 measured, 2 failed, 1 missing")
    #expect(folder.text(of: "fleet/a.json") == "{\"schemaVersion\":6}\n")
    #expect(folder.text(of: "fleet/a.err") == "a\n")
    #expect(folder.text(of: "fleet/noisy.err")?.utf8.count == RemoteScript.longestError)
    #expect(try HostStatus(of: folder.text(of: "fleet/a.status.json")).exitStatus == 0)
    #expect(folder.names(in: "remote").isEmpty)
    // Again, only what is missing.
    let rest = try FleetPlan(resuming: plan.folder, isInstalled: true, timeLimit: .seconds(60))
    #expect(rest.due.map(\.text) == ["b", "down", "noisy"])
    #expect(FleetProgress(try await measure(rest, by: Self.whole)).summary == "3 measured, 0 failed, 1 missing")
  }

  @Test("is one of a bounded number at once")
  func bounded() async throws {
    let hosts = (1...9).map { "h\($0)" }
    let count = folder["counts"]
    let outcomes = try await measure(
      plan(hosts),
      by: "mkdir -p \(folder.path)/on; : >\(folder.path)/on/$FLEET_HOST; ls \(folder.path)/on | wc -l >>\(count); "
        + "sleep 0.2; rm \(folder.path)/on/$FLEET_HOST; \(Self.whole)", atOnce: 3)
    #expect(outcomes.allSatisfy { $0.end == .measured })
    let counts = (folder.text(of: "counts") ?? "").split(separator: "\n").compactMap { Int($0) }
    #expect(counts.count == 9)
    #expect(counts.allSatisfy { (1...3).contains($0) })
  }

  /// Measures until it is told to end, and gives what it has.
  private static let endless =
    #"trap 'echo "{\"schemaVersion\":6,\"partial\":true}" >"$7"; exit 130' TERM; : >"$TMPDIR/../began"; "#
    + "while :; do sleep 0.1; done"

  @Test("is told to end at its time limit, and gives what it has measured")
  func timeLimit() async throws {
    let outcomes = try await measure(try plan(["a"], timeLimit: .seconds(1)), by: Self.endless)
    #expect(outcomes.map(\.end) == [.failed(status: 130, message: nil)])
    #expect(folder.text(of: "fleet/a.json") == "{\"schemaVersion\":6,\"partial\":true}\n")
    #expect(folder.names(in: "remote").isEmpty)
  }

  @Test("is told to end at Ctrl-C; those that were not reached are missing")
  func cancel() async throws {
    let began = folder["began"]
    let outcomes = try await measure(try plan(["a", "b"]), by: Self.endless, atOnce: 1) {
      FileManager.default.fileExists(atPath: began)
    }
    #expect(
      outcomes.map(\.end) == [.failed(status: 130, message: nil), .missing(reason: "stopped before it was reached")])
    #expect(folder.names(in: "remote").isEmpty)
  }

  @Test("takes the program that travels, and refuses one that has not arrived whole", arguments: [0, 1])
  func travels(cut: Int) async throws {
    // A program with every byte, longer than a pipe holds.
    let program =
      Array("#!/bin/sh\necho '{}' >\"$5\"\nexit 0\n".utf8) + (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
    try Data(program).write(to: URL(filePath: folder["program"]))
    let digest = String(try await Tool.run(["sha256sum", folder["program"]], within: .seconds(1200)).output.prefix(64))
    let script = RemoteScript(
      host: try HostName("a"), command: try FleetCommand(["bench"]), program: (program.count, digest),
      token: "spectrap-fleet-1")
    var sent = program
    if cut > 0 { sent[200_000] ^= 1 }
    let host = try HostName("a")
    let reply = try await SSH(command: folder["ssh"]).run(
      script.starter, on: host, input: [Array(script.text.utf8), sent], timeLimit: .seconds(60), isCancelled: { false })
    let answer = RemoteAnswer(reply.output, token: "spectrap-fleet-1", host: host)
    if cut == 0 {
      #expect(answer?.status.exitStatus == 0 && answer?.result == Array("{}\n".utf8), "\(reply.errors)")
    } else {
      #expect(answer == nil && reply.status == 74 && reply.errors.hasPrefix("the program did not arrive whole"))
    }
    #expect(folder.names(in: "remote").isEmpty)
  }

  @Test("without an ssh on this machine is everyone's trouble")
  func noSSH() async throws {
    let plan = try plan(["a", "b"])
    for command in ["spectrap-no-ssh -p 22", "/nonexistent/ssh -p 22"] {
      let run = SSHRun(plan, by: try SSH(command: command), atOnce: 8, isCancelled: { false }, show: { _ in })
      let error = await #expect(throws: FleetError.self) { try await run.measure() }
      #expect(error?.kind == .unavailable, "\(String(describing: error))")
      #expect(error?.description.hasPrefix("there is no program ") == true)
    }
    #expect(throws: FleetError.self) { try SSH(command: " ") }
  }

  private static let times = "2026-11-30T23:59:58Z 2026-11-30T23:59:59Z"

  @Test("has an answer behind whatever its shell prints")
  func answer() throws {
    let host = try HostName("a")
    let bytes = Array("hello\n\nT 69 \(Self.times) 3 4\n{}\nerr\n".utf8)
    let answer = try #require(RemoteAnswer(bytes, token: "T", host: host))
    #expect(
      answer.status
        == HostStatus(host: "a", exitStatus: 69, began: "2026-11-30T23:59:58Z", ended: "2026-11-30T23:59:59Z"))
    #expect(answer.result == Array("{}\n".utf8) && answer.errors == Array("err\n".utf8))
    // Every shorter one is not whole.
    for count in 0..<bytes.count { #expect(RemoteAnswer(Array(bytes[..<count]), token: "T", host: host) == nil) }
  }

  @Test(
    "has no answer where a number or a time is none, or the length is another",
    arguments: [
      "T x \(times) 0 0\n", "T 256 \(times) 0 0\n", "T -1 \(times) 0 0\n", "T 0 \(times) 0 1\n", "T 0 \(times) -1 1\n",
      "T 0 \(times) 0 0\nx", "T 0 \(times) 9223372036854775807 9223372036854775807\n", "T 0 \(times) 0\n",
      "T 0 2026-11-30T23:59:58Z yesterday 0 0\n", #"T 0 2026-11-30T23:59:58Z 2026-11-30T23:59:5"Z 0 0"# + "\n",
      "U 0 \(times) 0 0\n",
    ])
  func hostileAnswer(text: String) throws {
    let host = try HostName("a")
    #expect(RemoteAnswer(Array("\n\(text)".utf8), token: "T", host: host) == nil)
    #expect(RemoteAnswer(Array("\nT 0 \(Self.times) 0 0\n".utf8), token: "T", host: host) != nil)
  }
}

extension HostStatus {
  fileprivate init(of text: String?) throws {
    self = try JSONDecoder().decode(Self.self, from: Data((text ?? "").utf8))
  }
}

extension Folder {
  fileprivate func names(in name: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: self[name])) ?? ["there is no \(name)"]
  }
}
