// The policies by name. What each does stands in Hypervisor/Policies, where PolicyName+Policies.swift lists them.

/// A policy's name, on the command line and in results.
public enum PolicyName: String, CaseIterable, Codable, Sendable {
  case passthrough
  case emulate
  case autoload
  case manual
  case shadow
  case adaptive
}
