// Measures a fleet over ssh: a bounded number of hosts at once, each in one connection. The host's files are written
// here, once its whole answer has arrived.

import Glibc

/// A fleet that is measured over ssh.
package struct SSHRun: Sendable {
  private let plan: FleetPlan
  private let ssh: SSH
  private let limit: Int
  private let isCancelled: @Sendable () -> Bool
  private let show: @Sendable (FleetProgress) -> Void

  /// - Parameters:
  ///   - limit: how many hosts are measured at once.
  ///   - isCancelled: whether to stop, asked several times a second.
  ///   - show: takes the progress.
  package init(
    _ plan: FleetPlan, by ssh: SSH, atOnce limit: Int, isCancelled: @escaping @Sendable () -> Bool,
    show: @escaping @Sendable (FleetProgress) -> Void
  ) {
    (self.plan, self.ssh, self.limit) = (plan, ssh, limit)
    (self.isCancelled, self.show) = (isCancelled, show)
  }

  /// Measures every host that is due.
  ///
  /// - Returns: the outcome of every host of the fleet.
  /// - Throws: `FleetError` when nothing can be measured: ssh is not there, or a file cannot be written.
  package func measure() async throws(FleetError) -> [HostOutcome] {
    let (program, bytes) = try await travellingProgram()
    for host in plan.due { try plan.folder.removeFiles(of: host) }
    let token = Self.newToken

    var ends: [HostName: HostOutcome.End] = [:]
    var failure: FleetError?
    await withTaskGroup(of: (HostName, Result<HostOutcome.End, FleetError>).self) { group in
      var rest = plan.due[...]
      var running = 0
      while true {
        while running < limit, !isCancelled(), failure == nil, let host = rest.popFirst() {
          running += 1
          let script = RemoteScript(host: host, command: plan.command, program: program, token: token)
          group.addTask { (host, await outcome(of: script, bytes)) }
        }
        show(progress(ends, running: running, waiting: rest.count))
        guard let (host, result) = await group.next() else { break }
        running -= 1
        switch result {
        case .success(let end): ends[host] = end
        case .failure(let error): failure = error
        }
      }
      for host in rest { ends[host] = .missing(reason: "stopped before it was reached") }
    }
    if let failure { throw failure }
    return plan.outcomes(ends)
  }

  private func progress(_ ends: [HostName: HostOutcome.End], running: Int, waiting: Int) -> FleetProgress {
    var progress = FleetProgress()
    for end in ends.values { progress.count(end) }
    (progress.running, progress.waiting) = (running, waiting)
    return progress
  }

  /// The program that is sent to the hosts, unless they use their own.
  private func travellingProgram() async throws(FleetError) -> ((size: Int, digest: String)?, [UInt8]) {
    guard !plan.isInstalled else { return (nil, []) }
    let bytes = try FleetFolder.ownProgram()
    // The path names this process: for sha256sum, /proc/self is its own.
    let answer = try await Tool.run(["sha256sum", "/proc/\(getpid())/exe"])
    let digest = answer.output.prefix { $0.isHexDigit }
    guard answer.status == 0, digest.utf8.count == 64 else {
      throw FleetError(.unavailable, "sha256sum failed: \(answer.complaint)")
    }
    return ((bytes.count, String(digest)), bytes)
  }

  /// A word that no host prints by chance.
  private static var newToken: String {
    "spectrap-fleet-" + String(UInt64.random(in: .min ... .max), radix: 16)
      + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  /// Measures a host, to which the program's bytes are sent, and writes its files.
  ///
  /// - Returns: how it ended; an error where that ends the whole fleet: there is no ssh, or no place for the files.
  private func outcome(
    of script: RemoteScript, _ program: [UInt8]
  ) async -> Result<HostOutcome.End, FleetError> {
    let host = script.host
    let input = [Array(script.text.utf8), program].filter { !$0.isEmpty }
    let reply: SSH.Answer
    do throws(FleetError) {
      reply = try await ssh.run(
        script.starter, on: host, input: input, timeLimit: plan.timeLimit, isCancelled: isCancelled)
    } catch {
      // Without ssh, no host can be measured.
      return error.kind == .unavailable ? .failure(error) : .success(.missing(reason: "\(error)"))
    }
    guard let answer = RemoteAnswer(reply.output, token: script.token, host: host) else {
      return .success(.missing(reason: reason(for: reply)))
    }
    do throws(FleetError) {
      try plan.folder.write(host, result: answer.result, errors: answer.errors, status: answer.status)
    } catch { return .failure(error) }
    return .success(plan.folder.end(of: host) ?? .missing(reason: "its status cannot be read"))
  }

  /// Why a host has not answered.
  private func reason(for reply: SSH.Answer) -> String {
    if isCancelled() { return "stopped before it answered" }
    if let line = reply.errors.firstLine { return line }
    return reply.status == 0
      ? "its answer is not that of the script of `spectrap fleet run`" : "ssh ended with status \(reply.status)"
  }
}
