// The JSON of `spectrap probe`.

public import Measurement
public import Migration

/// The report about a host, and what the host offers guests that would come there.
public struct HostDocument: Codable {
  public let schemaVersion: Int
  public let host: HostReport
  /// Null where KVM could not be used.
  @Nullable public private(set) var offer: HostOffer?

  public init(host: HostReport, offer: HostOffer?) {
    schemaVersion = RunReport.currentSchemaVersion
    self.host = host
    self.offer = offer
  }
}
