// A workload from its name and parameters, as results and snapshots have them.

public import Registers

extension Workload {
  /// The workload of this name about this MSR, with the parameters that are given and the usual value of each other.
  ///
  /// - Throws: `WorkloadParameterError` for a parameter that it does not have, or a value that it does not take.
  public init(_ name: Name, msr: MSR, parameters: [String: Int]) throws(WorkloadParameterError) {
    let possible = Workload(name).parameters
    var chosen: [Parameter: Int] = [:]
    for (text, value) in parameters {
      guard let parameter = Parameter(rawValue: text), possible[parameter] != nil else { throw .unknown(name, text) }
      guard parameter.values.contains(value) else { throw .range(name, parameter, value) }
      chosen[parameter] = value
    }
    self.init(name, msr: msr, choosing: chosen)
  }

  /// The parameters by their names in results and snapshots.
  public var namedParameters: [String: Int] {
    Dictionary(uniqueKeysWithValues: parameters.map { ($0.key.rawValue, $0.value) })
  }
}

/// A parameter that a workload does not have or take.
public enum WorkloadParameterError: Error, CustomStringConvertible {
  case unknown(Workload.Name, String)
  case range(Workload.Name, Workload.Parameter, Int)

  public var description: String {
    switch self {
    case .unknown(let name, let parameter):
      let known = Workload(name).parameters.keys.map(\.rawValue).sorted().joined(separator: ", ")
      return "workload \(name.rawValue) has no parameter \(parameter)" + (known.isEmpty ? "" : "; it has \(known)")
    case .range(let name, let parameter, let value):
      return "parameter \(parameter.rawValue) of workload \(name.rawValue) is \(value); from "
        + "\(parameter.values.lowerBound) to \(parameter.values.upperBound) are possible"
    }
  }
}
