// Slurm, through its programs, each with a time limit. `sbatch --wait` is not used, because it asks seldom and waits
// for ever if a node is down. Arrays are not used, because one may measure a node twice.
// Facts: sbatch(1), squeue(1), scontrol(1), scancel(1), sinfo(1).

import Glibc

/// Slurm as this machine reaches it.
package struct Slurm: Sendable {
  let partition: String?

  /// The name of every job, by which `scancel --name` finds those whose runner is gone.
  static let jobName = "spectrap-fleet"

  package init(partition: String?) { self.partition = partition }

  /// The nodes of a list in Slurm's form, `node[1-4,7],web1`; without a list those of the partition, else all.
  ///
  /// - Throws: `FleetError` when there is none, or Slurm is not there.
  package func nodes(of list: String?) async throws(FleetError) -> [HostName] {
    let command =
      if let list {
        ["scontrol", "show", "hostnames", list]
      } else {
        ["sinfo", "--noheader", "--Node", "--format=%N"] + partitionWords
      }
    let answer = try await Self.ask(command)
    var nodes: [HostName] = []
    var seen: Set<HostName> = []
    for line in answer.split(whereSeparator: \.isNewline) {
      let text = line.drop { $0 == " " }.prefix { $0 != " " }
      guard !text.isEmpty else { continue }
      let node = try HostName(String(text))
      if seen.insert(node).inserted { nodes.append(node) }
    }
    guard !nodes.isEmpty else {
      throw FleetError(
        .unavailable,
        list.map { "\"\($0)\" names no node" }
          ?? partition.map { "Slurm knows no node in the partition \"\($0)\"; `sinfo` shows the partitions" }
          ?? "Slurm knows no node")
    }
    return nodes
  }

  /// Submits the job of a host.
  ///
  /// - Parameter timeLimit: how long it may run; Slurm counts in minutes.
  /// - Returns: its number.
  /// - Throws: `FleetError` when Slurm does not take it.
  func submit(
    _ script: JobScript, timeLimit: Duration
  ) async throws(FleetError) -> Int {
    let minutes = (timeLimit.components.seconds + 59) / 60
    let answer = try await Self.ask(
      [
        "sbatch", "--parsable", "--job-name=\(Self.jobName)", "--nodes=1", "--nodelist=\(script.host)",
        "--exclusive", "--no-requeue", "--time=\(minutes)", "--output=/dev/null", "--chdir=\(script.folder)",
      ] + partitionWords, input: script.text)
    guard let number = JobNumber.parse(sbatch: answer) else {
      throw FleetError(.dataError, "sbatch printed no job number, but \"\(answer.firstLine ?? "")\"")
    }
    return number
  }

  /// This user's jobs, those that ended a moment ago too.
  ///
  /// - Throws: `FleetError` when Slurm does not answer.
  func queue() async throws(FleetError) -> Queue {
    Queue(
      parsing: try await Self.ask([
        "squeue", "--noheader", "--states=all", "--user=\(geteuid())", "--name=\(Self.jobName)",
        "--format=\(Queue.format)",
      ]))
  }

  /// How a job ended; nil where Slurm does not remember it.
  func end(of number: Int) async -> JobEnd? {
    guard let answer = try? await Self.ask(["scontrol", "--oneliner", "show", "job", "\(number)"]) else { return nil }
    return JobEnd(parsing: answer, of: number)
  }

  /// Cancels jobs; a job that has ended is not an error.
  ///
  /// - Throws: `FleetError` when Slurm does not take it.
  func cancel(_ numbers: [Int]) async throws(FleetError) {
    // A command line has room for this many.
    for start in stride(from: 0, to: numbers.count, by: 500) {
      _ = try await Self.ask(["scancel", "--quiet"] + numbers[start...].prefix(500).map(String.init))
    }
  }

  private var partitionWords: [String] { partition.map { ["--partition=\($0)"] } ?? [] }

  /// Runs a program, and returns its output.
  private static func ask(_ command: [String], input: String = "") async throws(FleetError) -> String {
    let answer = try await Tool.run(command, input: input)
    guard answer.status == 0 else { throw FleetError(.unavailable, "\(command[0]) failed: \(answer.complaint)") }
    return answer.output
  }
}
