// The outcome of each host of a fleet, and the progress of all.

/// How the measurement of a host ended.
package struct HostOutcome: Equatable, Sendable {
  package let host: HostName
  package let end: End

  package enum End: Equatable, Sendable {
    /// A whole result is there.
    case measured
    /// The program ended without one; `message` is the first line of its standard error.
    case failed(status: Int, message: String?)
    /// No status came back.
    case missing(reason: String)
  }

  package init(_ host: HostName, _ end: End) {
    self.host = host
    self.end = end
  }

  /// The outcome in one line; nil for a host that was measured.
  package var summary: String? {
    switch end {
    case .measured: nil
    case .failed(let status, let message):
      "\(host) failed with exit status \(status)" + (message.map { ": \($0)" } ?? "")
    case .missing(let reason): "\(host) is missing: \(reason)"
    }
  }
}

/// The number of a fleet's hosts in each state.
package struct FleetProgress: Equatable, Sendable {
  package var (measured, failed, missing, running, waiting) = (0, 0, 0, 0, 0)

  package init() {}

  /// The count of ended hosts.
  package init(_ outcomes: [HostOutcome]) { for outcome in outcomes { count(outcome.end) } }

  mutating func count(_ end: HostOutcome.End) {
    switch end {
    case .measured: measured += 1
    case .failed: failed += 1
    case .missing: missing += 1
    }
  }

  /// Whether every host was measured.
  package var isComplete: Bool { failed + missing + running + waiting == 0 }

  /// The ended hosts in one line.
  package var summary: String { "\(measured) measured, \(failed) failed, \(missing) missing" }

  /// All hosts in one line, for the time in which they are measured.
  package var text: String { "\(running) running, \(waiting) waiting, \(summary)" }
}
