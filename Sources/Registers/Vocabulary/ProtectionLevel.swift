// How far a policy protects its guest. Hypervisor/Policies determines the level and the reason.

/// How far a policy protects its guest.
public enum ProtectionLevel: String, Codable, Sendable {
  /// Indirect branches are always restricted, whatever the guest writes.
  case always
  /// The host's bits are always set in the register; what that restricts depends on the processor.
  case maskedBits
  /// The guest's own writes decide.
  case guest
  /// Not at all.
  case none
  /// The policy's MSR is not one that protects.
  case notApplicable

  /// The level for a person.
  public var summary: String {
    switch self {
    case .always: "always"
    case .maskedBits: "only the host's bits"
    case .guest: "as the guest chooses"
    case .none: "no"
    case .notApplicable: "not applicable"
    }
  }
}
