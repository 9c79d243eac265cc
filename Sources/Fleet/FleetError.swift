// Why a fleet cannot be measured.

/// A failure of the fleet as a whole; that of one host is a `HostOutcome`.
package struct FleetError: Error, Sendable {
  package let kind: Kind
  private let message: String

  package enum Kind: Sendable {
    case usage
    /// A file, or the answer of another program, is not valid.
    case dataError
    case noInput
    /// Slurm or ssh is not there, or refuses everything.
    case unavailable
    case output
    /// The system failed to start a program.
    case osError
    /// A program takes too long.
    case timedOut
    case noPermission
  }

  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

extension FleetError: CustomStringConvertible {
  package var description: String { message }
}
