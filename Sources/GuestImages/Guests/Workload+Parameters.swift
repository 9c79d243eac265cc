// A workload from its name and parameters, as they stand in results and snapshots.

extension Workload {
  /// The values that a parameter takes: more writes or exits would be no kernel entry any more, and with more branches
  /// user mode would hardly ever enter the kernel.
  public static func values(of parameter: String) -> ClosedRange<Int> {
    switch parameter {
    case "userBranches": 0...1_000_000
    case "phaseLength": 1...Int(Int32.max)
    default: 0...1000
    }
  }

  /// The workload of this name about this MSR, with the parameters that are given and the default for each other one.
  ///
  /// Throws `WorkloadParameterError` for a parameter that it does not have, or a value that it does not take.
  public init(_ name: Name, msr: UInt32, parameters: [String: Int]) throws(WorkloadParameterError) {
    self.init(name, msr: msr)
    let defaults = self.parameters
    for (parameter, value) in parameters {
      guard defaults[parameter] != nil else { throw .unknown(name, parameter) }
      guard Self.values(of: parameter).contains(value) else { throw .range(name, parameter, value) }
    }
    guard !parameters.allSatisfy({ defaults[$0] == $1 }) else { return }
    let chosen = defaults.merging(parameters) { $1 }
    let branches = chosen["userBranches"] ?? 0
    switch name {
    case .ibrs:
      self = .ibrs(
        msr, writes: chosen["writesPerEntry"] ?? 0, exits: chosen["exitsPerEntry"] ?? 0, userBranches: branches)
    case .ibrsAll: self = .ibrsAll(msr, userBranches: branches)
    case .ibrsForced: self = .ibrsForced(msr, userBranches: branches)
    case .phases: self = .phases(msr, length: chosen["phaseLength"] ?? 1)
    case .delay: self = .delay(chosen["instructions"] ?? 0)
    default: break
    }
  }
}

/// A parameter that a workload does not have or take.
public enum WorkloadParameterError: Error, CustomStringConvertible {
  case unknown(Workload.Name, String)
  case range(Workload.Name, String, Int)

  public var description: String {
    switch self {
    case .unknown(let name, let parameter):
      let known = Workload(name).parameters.keys.sorted().joined(separator: ", ")
      return "workload \(name.rawValue) has no parameter \(parameter)" + (known.isEmpty ? "" : "; it has \(known)")
    case .range(let name, let parameter, let value):
      let values = Workload.values(of: parameter)
      return "parameter \(parameter) of workload \(name.rawValue) is \(value); from \(values.lowerBound) to "
        + "\(values.upperBound) are possible"
    }
  }
}
