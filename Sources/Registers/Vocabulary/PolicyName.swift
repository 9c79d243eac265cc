// The names of the policies. Hypervisor/Policies has the code of each; PolicyName+Policies.swift lists them.

/// A policy's name, on the command line and in results.
public enum PolicyName: String, CaseIterable, Codable, Sendable {
  case passthrough, emulate, autoload, manual, shadow, adaptive

  /// Whether the guest's writes reach the register from its first entry on.
  public var leavesRegisterToGuest: Bool {
    switch self {
    case .passthrough, .autoload, .manual: true
    case .emulate, .shadow, .adaptive: false
    }
  }
}
