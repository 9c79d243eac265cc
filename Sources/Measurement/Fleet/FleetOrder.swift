// What a fleet was asked to measure: the file fleet.json in its folder, written before the first host begins. By it a
// host is missed of which no file came back. Documented in docs/fleet.md.

/// The hosts of a fleet, and the command that each runs.
public struct FleetOrder: Codable, Equatable, Sendable {
  /// The version of this schema.
  public static let currentSchemaVersion = 1
  public static let kind = "fleet"

  public let schemaVersion: Int
  public let kind: String
  /// Every host that was asked, by name, each once.
  public let hosts: [String]
  /// The program's arguments: `["bench", "--rounds", "8"]`.
  public let command: [String]
  /// When the order was given, in UTC: `2026-11-30T23:59:59Z`.
  public let began: String

  public init(hosts: [String], command: [String], began: String) {
    schemaVersion = Self.currentSchemaVersion
    kind = Self.kind
    self.hosts = hosts
    self.command = command
    self.began = began
  }
}
