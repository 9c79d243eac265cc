// Why a fleet cannot be measured.

/// A failure of the fleet as a whole; that of one host is a `HostOutcome`.
package struct FleetError: Error, Sendable {
  package let kind: Kind
  private let message: String

  package enum Kind: Sendable {
    case usage
    /// A file, or what another program has answered, is not what it should be.
    case dataError
    case noInput
    /// Slurm or ssh is not there, or refuses everything.
    case unavailable
    case output
    /// The system failed at starting a program.
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
