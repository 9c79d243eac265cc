// `spectrap fleet run`, with scripts in place of Slurm's programs: a queue that is a folder.

import Glibc
import TestSupport
import Testing

@Suite("A fleet", .bounded)
struct FleetTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let files = [
      "scontrol": """
      case "$*" in
        "show hostnames "*) for node in $(echo "$3" | tr , ' '); do echo "$node"; done ;;
        *) echo "JobId=$4 JobState=CANCELLED ExitCode=0:15 Command=x" ;;
      esac
      """,
      // down never starts; lost ends without a word; nobody has no such node.
      "sbatch": """
      for word; do case $word in --nodelist=*) node=${word#*=} ;; esac; done
      cat >job.$node
      case $node in nobody) echo 'sbatch: error: Invalid node name specified' >&2; exit 1 ;; esac
      echo "$node" >>submitted
      number=$(wc -l <submitted)
      echo "$node" >"queue.$number"
      case $node in
        down | lost) ;;
        *) SLURMD_NODENAME=$node sh job.$node >/dev/null 2>&1 & ;;
      esac
      echo "$number"
      """,
      "squeue": """
      for job in queue.*; do
        case $(cat "$job") in
          lost) echo "${job#queue.}|NODE_FAIL|NodeFail" ;;
          down) echo "${job#queue.}|PENDING|ReqNodeNotAvail, UnavailableNodes:down" ;;
          *) echo "${job#queue.}|RUNNING|None" ;;
        esac
      done
      """,
      "scancel": #"echo "$*" >>cancelled; for pid in $(cat pids 2>/dev/null); do kill -TERM $pid; done"#,
      "spectrap": #"""
      case $SLURMD_NODENAME in
        slow) echo $$ >>"$QUEUE/pids"; trap 'exit 130' TERM; while :; do sleep 0.1; done ;;
        sick) printf 'spectrap: /dev/kvm: \033[2Jno\nmore\n' >&2; exit 69 ;;
      esac
      for last; do :; done
      echo '{"schemaVersion":6}' >"$last"
      """#,
    ]
    for (name, text) in files {
      let head = name == "spectrap" ? "" : "cd '\(folder.path)' || exit 1\n"
      try folder.write("#!/bin/sh\n\(head)\(text)\n", to: name)
    }
    _ = try Child(["chmod", "755"] + files.keys.map { folder[$0] }).outcome(by: .now + Spectrap.patience)
  }

  /// The wrapper that puts the scripts before all programs.
  private var wrapper: [String] {
    ["sh", "-c", "export QUEUE=\(folder.path) PATH=\(folder.path):$PATH; exec \"$@\"", "sh"]
  }

  private func run(_ words: String...) throws -> Outcome {
    try Spectrap.run(["fleet", "run"] + words, under: wrapper)
  }

  @Test("has one line for each host that was not measured, and is resumed with what is missing")
  func outcomes() throws {
    let outcome = try run(
      "--slurm", "--installed", "--nodes", "a,sick,down,nobody,a,b", "--wait", "1", "--output", folder["fleet"], "--",
      "bench", "--rounds", "8")
    #expect(outcome.status == 70, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(
      lines == [
        "sick failed with exit status 69: spectrap: /dev/kvm: \u{fffd}[2Jno",
        "down is missing: its job did not start within 1 s (ReqNodeNotAvail, UnavailableNodes:down) and was cancelled",
        "nobody is missing: sbatch failed: sbatch: error: Invalid node name specified",
        "2 measured, 1 failed, 2 missing: \(folder["fleet"])",
      ])
    outcome.expectFailure(70, saying: "3 of 5 hosts were not measured", "--resume")
    #expect(
      folder.names(in: "fleet") == [
        "a.err", "a.json", "a.status.json", "b.err", "b.json", "b.status.json", "fleet.json", "sick.err",
        "sick.status.json",
      ])
    // Only the job that did not start was cancelled, by its number.
    #expect(folder.text(of: "cancelled") == "--quiet 3\n")
    #expect(folder.text(of: "job.a")?.contains("'spectrap' 'bench' '--rounds' '8' '--host-id' 'a' --json") == true)

    let again = try run("--slurm", "--installed", "--wait", "1", "--resume", folder["fleet"])
    #expect(again.status == 70)
    #expect(folder.text(of: "submitted") == "a\nsick\ndown\nb\nsick\ndown\n")
  }

  @Test("tells of a job that ended without a status")
  func lost() throws {
    let outcome = try run(
      "--slurm", "--installed", "--nodes", "lost", "--output", folder["fleet"], "--", "probe")
    #expect(outcome.status == 70)
    #expect(outcome.output.hasPrefix("lost is missing: its job ended in the state CANCELLED, by signal 15"))
  }

  @Test("is measured with status 0")
  func measured() throws {
    let outcome = try run("--slurm", "--installed", "--nodes", "a,b", "--output", folder["fleet"], "--", "bench")
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    #expect(outcome.output == "2 measured, 0 failed, 0 missing: \(folder["fleet"])\n")
    // The program did not travel.
    #expect(!folder.names(in: "fleet").contains("spectrap"))
  }

  @Test("is stopped by Ctrl-C: its jobs are cancelled, and it says how to go on", arguments: [SIGINT, SIGTERM])
  func stopped(signal: CInt) throws {
    let deadline = ContinuousClock.now + Spectrap.patience
    let child = try Child(
      wrapper + [Spectrap.path, "fleet", "run", "--slurm", "--installed", "--nodes", "slow,down", "--output"]
        + [folder["fleet"], "--", "bench"])
    while folder.text(of: "pids") == nil {
      try #require(ContinuousClock.now < deadline)
      usleep(10_000)
    }
    let sent = try child.interruptWhenReady(by: deadline, with: signal)
    let outcome = try child.outcome(by: deadline, interruptedAt: sent)
    outcome.expectFailure(130, saying: "stopped on request", "--resume \(folder["fleet"])")
    #expect(folder.text(of: "cancelled") == "--quiet 1 2\n")
    #expect(outcome.output.contains("slow failed with exit status 130\ndown is missing: its job was cancelled\n"))
  }

  @Test("is refused with a sentence and a status")
  func refusals() throws {
    try folder.write("web1\nweb 2\n", to: "hosts")
    let none = folder["none"]
    try run("--slurm", "--ssh", folder["hosts"], "--", "bench").expectUsageError(saying: ["either --slurm or --ssh"])
    try run("--", "bench").expectUsageError(saying: ["either --slurm or --ssh"])
    try run("--slurm", "--", "compare").expectUsageError(saying: ["makes no result"])
    try run("--slurm", "--", "bench", "--json", "x").expectUsageError(saying: ["--json is added"])
    try run("--slurm", "--", "bench", "--ronds", "8").expectUsageError(saying: ["after \"--\"", "'--rounds'"])
    try run("--slurm", "--jobs", "3", "--", "bench").expectUsageError(saying: ["--jobs belongs to --ssh"])
    try run("--ssh", none, "--nodes", "a", "--", "bench").expectUsageError(saying: ["--nodes belongs to --slurm"])
    try run("--slurm", "--resume", none, "--", "bench").expectUsageError(saying: ["leave out the command after"])
    try run("--slurm", "--wait", "soon", "--", "bench").expectUsageError(saying: ["--wait", "seconds"])
    try Spectrap.run("fleet", "rnu").expectUsageError(saying: ["did you mean run?"])

    try run("--slurm", "--nodes", "a/b", "--", "bench").expectFailure(65, saying: "\"a/b\"", "letters, digits")
    try run("--ssh", folder["hosts"], "--", "bench").expectFailure(65, saying: "line 2")
    try run("--ssh", none, "--", "bench").expectFailure(66, saying: none)
    try run("--slurm", "--resume", none).expectFailure(66, saying: none)
    try run("--slurm", "--nodes", "a", "--output", "/proc/fleet", "--", "bench").expectFailure(
      74, saying: "/proc/fleet")
    try run("--slurm", "--nodes", "a", "--output", folder.path, "--", "bench").expectFailure(64, saying: "not empty")
    try run("--slurm", "--nodes", "nobody", "--output", folder["f"], "--", "bench")
      .expectFailure(69, saying: "sbatch failed", "Invalid node name")
    try Spectrap.run(["fleet", "run", "--slurm", "--", "bench"], under: ["env", "PATH=/nonexistent"])
      .expectFailure(69, saying: "\"sinfo\" in PATH")
  }

  @Test("is resumed over ssh with its own hosts alone")
  func otherHosts() throws {
    _ = try run("--slurm", "--installed", "--nodes", "a,b", "--output", folder["fleet"], "--", "bench")
    try folder.write("a\nc\n", to: "hosts")
    try run("--ssh", folder["hosts"], "--resume", folder["fleet"]).expectFailure(64, saying: "other hosts")
  }
}
