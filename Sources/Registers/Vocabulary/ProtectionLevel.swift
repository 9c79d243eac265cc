// How far a policy protects its guest. Hypervisor/Policies finds out which it is, with the reason.

/// How far a policy protects its guest.
public enum ProtectionLevel: String, Codable, Sendable {
  /// Indirect branches are restricted always, whatever the guest writes.
  case always
  /// The bits that the host keeps stand in the register always; what that restricts depends on the processor.
  case maskedBits
  /// As the guest chooses by what it writes.
  case guest
  /// Not at all.
  case none
  /// The subject is not the register that protects.
  case notApplicable

  /// The level as a person says it.
  public var summary: String {
    switch self {
    case .always: "always"
    case .maskedBits: "the host's bits alone"
    case .guest: "as the guest chooses"
    case .none: "no"
    case .notApplicable: "not applicable"
    }
  }
}
