// How a measurement ended on one host of a fleet: the file HOST.status.json, which the host writes by rename, always.
// Documented in docs/fleet.md.

/// The end of the program on one host of a fleet.
public struct HostStatus: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 1
  public static let kind = "status"

  public let schemaVersion: Int
  public let kind: String
  /// The host, by the name under which the fleet was asked: a Slurm node's, or a line of the file of hosts.
  public let host: String
  /// The status with which the program ended there; 128 and the signal's number where a signal ended it.
  public let exitStatus: Int
  /// When it began and ended there, in UTC: `2026-11-30T23:59:59Z`.
  public let began: String
  public let ended: String

  public init(host: String, exitStatus: Int, began: String, ended: String) {
    schemaVersion = Self.currentSchemaVersion
    kind = Self.kind
    self.host = host
    self.exitStatus = exitStatus
    self.began = began
    self.ended = ended
  }
}
