// The parameters of workloads as options; GuestImages/Guests/Parameter.swift describes them.

import ArgumentParser
import GuestImages
import Registers

struct ParameterOptions: ParsableArguments {
  @Option(help: .parameter(.writesPerEntry), transform: values(of: .writesPerEntry))
  var writesPerEntry: Int?

  @Option(help: .parameter(.exitsPerEntry), transform: values(of: .exitsPerEntry))
  var exitsPerEntry: Int?

  @Option(help: .parameter(.userBranches), transform: values(of: .userBranches))
  var userBranches: Int?

  @Option(help: .parameter(.phaseLength), transform: values(of: .phaseLength))
  var phaseLength: Int?

  /// The values that were given.
  var chosen: [Workload.Parameter: Int] {
    let given: [Workload.Parameter: Int?] = [
      .writesPerEntry: writesPerEntry, .exitsPerEntry: exitsPerEntry, .userBranches: userBranches,
      .phaseLength: phaseLength,
    ]
    return given.compactMapValues { $0 }
  }

  /// Checks that the workload has the given parameters.
  ///
  /// - Throws: `ValidationError`, which names the workloads that have the parameter.
  func validate(for workload: Workload.Name) throws {
    for parameter in Workload.Parameter.allCases
    where chosen[parameter] != nil && !parameter.workloads.contains(workload) {
      throw ValidationError("\(parameter.option) is for \(parameter.takers)")
    }
  }

  private static func values(of parameter: Workload.Parameter) -> @Sendable (String) throws -> Int {
    whole(parameter.values)
  }
}

extension ArgumentHelp {
  /// The help for the option of a parameter.
  fileprivate static func parameter(_ parameter: Workload.Parameter) -> ArgumentHelp {
    "\(parameter.meaning.prefix(1).uppercased())\(parameter.meaning.dropFirst()), for \(parameter.takers) (default: \(parameter.usual))."
  }
}

extension Workload.Parameter {
  /// Its option: "--writes-per-entry".
  fileprivate var option: String {
    "--" + rawValue.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
  }

  /// The workloads that have it: "the workload ibrs", "the workloads ibrs, ibrs-all and ibrs-forced".
  fileprivate var takers: String {
    let names = workloads.map(\.rawValue)
    let list = names.dropLast().joined(separator: ", ")
    return names.count > 1 ? "the workloads \(list) and \(names[names.count - 1])" : "the workload \(names.joined())"
  }
}
