// Measures a fleet by Slurm: a job for each host, followed in the queue and by the files that the hosts write. No
// accounting database is needed. A job that does not start, or does not end, is cancelled, so the run always ends.

/// A fleet that Slurm measures.
package struct SlurmRun: Sendable {
  private let plan: FleetPlan
  private let slurm: Slurm
  /// How long a job may wait for its node.
  private let wait: Duration
  private let isCancelled: @Sendable () -> Bool
  private let show: @Sendable (FleetProgress) -> Void
  private var jobs: [Job] = []

  /// A host's job.
  private struct Job {
    let host: HostName
    let number: Int
    let submitted: ContinuousClock.Instant
    var stage = Stage.waiting
    var started: ContinuousClock.Instant?
    /// When the queue first showed the job as ended, or no longer showed it.
    var gone: ContinuousClock.Instant?
    var reason = ""

    var isEnded: Bool { if case .ended = stage { true } else { false } }
  }

  private enum Stage: Equatable {
    case waiting, running
    case ended(HostOutcome.End)
  }

  /// How long a file of a host that has ended may take until it is seen here: network file systems remember for some
  /// seconds what was in a folder.
  private static let fileDelay = Duration.seconds(10)
  /// How long a job may exceed its time limit until it counts as lost: Slurm sends SIGTERM, and SIGKILL after KillWait
  /// (30 s by default).
  private static let overtime = Duration.seconds(180)
  /// How long Slurm may be silent, as when its controller is started anew.
  private static let silence = Duration.seconds(300)
  /// How long cancelled programs may take to write what they have measured.
  private static let farewell = Duration.seconds(30)

  /// - Parameters:
  ///   - wait: how long a job may wait for its node.
  ///   - isCancelled: whether to stop, asked several times a second.
  ///   - show: takes the progress.
  package init(
    _ plan: FleetPlan, by slurm: Slurm, wait: Duration, isCancelled: @escaping @Sendable () -> Bool,
    show: @escaping @Sendable (FleetProgress) -> Void
  ) {
    (self.plan, self.slurm, self.wait) = (plan, slurm, wait)
    (self.isCancelled, self.show) = (isCancelled, show)
  }

  /// Measures every host that is due.
  ///
  /// - Returns: the outcome of every host of the fleet.
  /// - Throws: `FleetError` when nothing can be measured: Slurm is not there, or takes no job.
  package mutating func measure() async throws(FleetError) -> [HostOutcome] {
    if !plan.isInstalled { try plan.folder.putProgram() }
    var ends = try await submit()
    var answered = ContinuousClock.now
    while isUnderWay, !isCancelled() {
      takeFiles()
      do throws(FleetError) {
        let queue = try await slurm.queue()
        answered = .now
        await follow(queue)
      } catch {
        if .now - answered > Self.silence { await cancelRest(because: "Slurm does not answer any more: \(error)") }
      }
      show(progress(with: ends))
      if isUnderWay { await pause() }
    }
    if isUnderWay { await cancelRest(because: "its job was cancelled") }
    for job in jobs { if case .ended(let end) = job.stage { ends[job.host] = end } }
    return plan.outcomes(ends)
  }

  private var isUnderWay: Bool { jobs.contains { !$0.isEnded } }

  private func progress(with ends: [HostName: HostOutcome.End]) -> FleetProgress {
    var progress = FleetProgress()
    for end in ends.values { progress.count(end) }
    for job in jobs {
      switch job.stage {
      case .waiting: progress.waiting += 1
      case .running: progress.running += 1
      case .ended(let end): progress.count(end)
      }
    }
    return progress
  }

  // MARK: Submitting

  /// Submits a job for each host that is due.
  ///
  /// - Returns: the hosts whose job Slurm does not take, and those that were not reached before Ctrl-C.
  /// - Throws: `FleetError` when it takes none.
  private mutating func submit() async throws(FleetError) -> [HostName: HostOutcome.End] {
    var ends: [HostName: HostOutcome.End] = [:]
    var isSilent = false
    for host in plan.due {
      guard !isSilent, !isCancelled() else {
        ends[host] = .missing(
          reason: isSilent ? "Slurm does not answer any more" : "stopped before its job was submitted")
        continue
      }
      do throws(FleetError) {
        try plan.folder.removeFiles(of: host)
        let script = JobScript(
          host: host, folder: plan.folder.path, command: plan.command, isInstalled: plan.isInstalled)
        let number = try await slurm.submit(script, timeLimit: plan.timeLimit)
        jobs.append(Job(host: host, number: number, submitted: .now))
      } catch {
        ends[host] = .missing(reason: "\(error)")
        // Each further call would take as long.
        isSilent = error.kind == .timedOut
        if jobs.isEmpty, isSilent || ends.count == plan.due.count { throw error }
      }
    }
    return ends
  }

  // MARK: Following

  /// Ends the jobs whose status has come.
  private mutating func takeFiles() {
    let rest = jobs.indices.filter { !jobs[$0].isEnded }
    guard let ended = try? plan.folder.ended(of: rest.map { jobs[$0].host }) else { return }
    for index in rest where ended.contains(jobs[index].host) {
      if let end = plan.folder.end(of: jobs[index].host) { jobs[index].stage = .ended(end) }
    }
  }

  /// Follows the jobs that have not ended.
  private mutating func follow(_ queue: Queue) async {
    let now = ContinuousClock.now
    var late: [Int] = []
    for index in jobs.indices where !jobs[index].isEnded {
      let entry = queue[jobs[index].number]
      switch entry?.stage {
      case .waiting?:
        jobs[index].reason = entry?.reason ?? ""
        if now - jobs[index].submitted > wait { late.append(index) }
      case .running?:
        jobs[index].stage = .running
        let started = jobs[index].started ?? now
        jobs[index].started = started
        if now - started > plan.timeLimit + Self.overtime { late.append(index) }
      case .ended?, nil:
        let gone = jobs[index].gone ?? now
        jobs[index].gone = gone
        guard now - gone > Self.fileDelay else { continue }
        let end = await slurm.end(of: jobs[index].number)
        jobs[index].stage = .ended(
          .missing(
            reason: end?.reason ?? "its job is in the state \(entry?.state ?? "unknown to Slurm") and left no status"))
      }
    }
    await give(up: late)
  }

  /// Cancels jobs that have taken too long.
  private mutating func give(up indices: [Int]) async {
    guard !indices.isEmpty else { return }
    // If that fails, the next round tries again.
    guard (try? await slurm.cancel(indices.map { jobs[$0].number })) != nil else { return }
    for index in indices {
      let job = jobs[index]
      let reason =
        if job.stage == .waiting {
          "its job did not start within \(wait.components.seconds) s"
            + (job.reason.isEmpty ? "" : " (\(job.reason))") + " and was cancelled"
        } else {
          "its job did not end within its time limit and was cancelled"
        }
      jobs[index].stage = .ended(.missing(reason: reason))
    }
  }

  /// Cancels all jobs that have not ended, and takes what they have measured until then.
  private mutating func cancelRest(because reason: String) async {
    var reason = reason
    // A job that got its node after the last look at the queue leaves files, which are waited for.
    if let queue = try? await slurm.queue() {
      for index in jobs.indices where !jobs[index].isEnded && queue[jobs[index].number]?.stage == .running {
        jobs[index].stage = .running
      }
    }
    let numbers = jobs.filter { !$0.isEnded }.map(\.number)
    do throws(FleetError) { try await slurm.cancel(numbers) } catch {
      reason += "; the job may still be there, and `scancel --name=\(Slurm.jobName)` cancels all: \(error)"
    }
    let deadline = ContinuousClock.now + Self.farewell
    while true {
      takeFiles()
      // A job that never had its node leaves nothing.
      guard jobs.contains(where: { $0.stage == .running }), .now < deadline else { break }
      try? await Task.sleep(for: .milliseconds(200))
    }
    for index in jobs.indices where !jobs[index].isEnded { jobs[index].stage = .ended(.missing(reason: reason)) }
  }

  /// Waits until it is time to ask again: at first after half a second, later less often, to spare the controller.
  private func pause() async {
    let age = jobs.map(\.submitted).min().map { ContinuousClock.now - $0 } ?? .zero
    let end = ContinuousClock.now + max(.milliseconds(500), min(.seconds(5), age / 20))
    while .now < end, !isCancelled() { try? await Task.sleep(for: .milliseconds(100)) }
  }
}
