// The matrix: for each pair of hosts and each policy, whether a guest that started on one may continue on the other.

public import Hypervisor

/// The decisions about guests that move between hosts, each under one policy at both ends.
public struct MigrationPlan: Encodable, Equatable, Sendable {
  public let schemaVersion = 1
  public let kind = "migrationPlan"
  /// The hosts by name, in the order of the rows.
  public let hosts: [String]
  public let rows: [Row]

  /// One guest and one destination.
  public struct Row: Encodable, Equatable, Sendable {
    public let source: String
    public let destination: String
    public let policy: PolicyName
    public let outcome: Outcome
    /// How the guest is protected at the source, and at the destination if it is allowed there.
    public let protectionAtSource: Protection.Level?
    public let protectionAtDestination: Protection.Level?
    /// One sentence.
    public let reason: String
    /// What the guest would notice there: warnings that stay with it.
    public let warnings: [String]
  }

  /// The decision about a guest.
  public enum Outcome: String, Codable, CaseIterable, Sendable {
    case allowed, unprotected, refused
    /// The source cannot run the policy: there is no such guest.
    case notStarted
  }

  /// The plan for guests that are told everything that their policy tells them at the source.
  public init(for hosts: [HostOffer]) {
    self.hosts = hosts.map(\.name)
    rows = hosts.flatMap { source in
      hosts.flatMap { destination in
        PolicyName.allCases.map { Row(from: source, to: destination, under: $0) }
      }
    }
  }
}

extension MigrationPlan.Row {
  fileprivate init(from source: HostOffer, to destination: HostOffer, under policy: PolicyName) {
    self.source = source.name
    self.destination = destination.name
    self.policy = policy
    switch policy.support(on: Terms(source.abilities)) {
    case .refused(let reason):
      outcome = .notStarted
      warnings = []
      (protectionAtSource, protectionAtDestination) = (nil, nil)
      self.reason = reason
    case .supported(let protection):
      let guest = MovingGuest(startedAt: source, under: policy, protectedBy: protection)
      let decision = Decision(of: guest, to: destination, under: policy)
      protectionAtSource = protection.level
      reason = decision.reason
      (outcome, protectionAtDestination) =
        switch decision {
        case .allowed(let there): (.allowed, there.level)
        case .unprotected: (.unprotected, nil)
        case .refused: (.refused, nil)
        }
      warnings = outcome == .refused ? [] : Self.warnings(of: guest, from: source, at: destination)
    }
  }

  /// The warnings, and what an older file does not say.
  private static func warnings(of guest: MovingGuest, from source: HostOffer, at destination: HostOffer) -> [String] {
    var warnings = Decision.warnings(of: guest, at: destination)
    for host in [source, destination] {
      let clock = Decision.unknownClock(at: host)
      if host.clock == nil, !warnings.contains(clock) { warnings.append(clock) }
      if host.featureMSRs == nil { warnings.append("the feature MSRs of \(host.name) are not known") }
      if source == destination { break }
    }
    return warnings
  }

  private enum CodingKeys: String, CodingKey {
    case source, destination, policy, outcome, protectionAtSource, protectionAtDestination, reason, warnings
  }

  /// Unknown values are null, so that every row has the same keys.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(source, forKey: .source)
    try container.encode(destination, forKey: .destination)
    try container.encode(policy, forKey: .policy)
    try container.encode(outcome, forKey: .outcome)
    try container.encode(protectionAtSource, forKey: .protectionAtSource)
    try container.encode(protectionAtDestination, forKey: .protectionAtDestination)
    try container.encode(reason, forKey: .reason)
    try container.encode(warnings, forKey: .warnings)
  }
}
