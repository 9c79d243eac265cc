// The facts that make two hosts alike: what decides the cost of an exit and of a write, as far as a host says it.

/// A fact by which the hosts of a fleet are sorted into classes.
public enum ClassFact: String, Codable, CaseIterable, Sendable {
  case vendor, family, model, stepping, microcode, kernel, module, parameters, vulnerabilities, smt, governor, turbo

  /// The fact of a host, as text; "?" where it is unknown.
  public func value(of host: HostReport) -> String {
    func text(_ value: (some CustomStringConvertible)?) -> String { value?.description ?? "?" }
    func list(_ pairs: [String: String]) -> String {
      pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
    }
    return switch self {
    case .vendor: text(host.cpu.vendor)
    case .family: text(host.cpu.family)
    case .model: text(host.cpu.modelNumber)
    case .stepping: text(host.cpu.stepping)
    case .microcode: text(host.cpu.microcode)
    case .kernel: text(host.kernel)
    case .module: host.module
    case .parameters: list(host.moduleParameters)
    case .vulnerabilities: list(host.vulnerabilities)
    case .smt: text(host.smt)
    case .governor: host.governors.joined(separator: ", ")
    case .turbo: text(host.turbo)
    }
  }
}
