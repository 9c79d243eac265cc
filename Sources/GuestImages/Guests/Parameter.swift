// The parameters of workloads: one row each, with the meaning, the valid values and the default.

public import Registers

extension Workload {
  /// A parameter of workloads; its raw value is its name in results and snapshots.
  public enum Parameter: String, CaseIterable, Sendable {
    case writesPerEntry
    case exitsPerEntry
    case userBranches
    case phaseLength
    case instructions

    /// The limits keep a kernel entry recognisable: with more branches, user mode would hardly ever enter the kernel.
    private var row: (meaning: String, values: ClosedRange<Int>, usual: Int) {
      switch self {
      case .writesPerEntry: ("writes of the MSR at each kernel entry", 0...1000, 2)
      case .exitsPerEntry: ("exits (OUT) at each kernel entry", 0...1000, 0)
      case .userBranches: ("indirect branches in user mode before each kernel entry", 0...1_000_000, 0)
      case .phaseLength: ("kernel entries in each phase", 1...Int(Int32.max), 100)
      case .instructions: ("register instructions in each iteration", 0...1000, 100)
      }
    }

    /// What the value counts.
    public var meaning: String { row.meaning }
    /// The valid values.
    public var values: ClosedRange<Int> { row.values }
    /// The default value.
    public var usual: Int { row.usual }

    /// The workloads that have it.
    public var workloads: [Name] { Name.allCases.filter { Workload($0).parameters[self] != nil } }
  }
}
