// The JSON of `spectrap probe`.

public import Measurement
public import Migration

/// The report about a host, and what the host offers to guests that move there.
public struct HostDocument: Codable {
  public let schemaVersion: Int
  /// The host, the moment and the run; null in results of version 1.
  @Nullable public private(set) var identity: ResultIdentity?
  public let host: HostReport
  /// Null where KVM could not be used.
  @Nullable public private(set) var offer: HostOffer?

  public init(identity: ResultIdentity, host: HostReport, offer: HostOffer?) {
    schemaVersion = RunReport.currentSchemaVersion
    self.identity = identity
    self.host = host
    self.offer = offer
  }
}
