// The cost of each policy for the guest that writes SPEC_CTRL at each entry, for the guest that never writes it, and
// for the guest that exits.

package import Registers

/// The cells that show the cost of one policy.
package struct PolicyCost {
  package let policy: Known<PolicyName>
  /// The guest `ibrs`: two writes at each entry.
  package let writer: CellRecord?
  /// The guest `bare`: an empty entry.
  package let quiet: CellRecord?
  /// The guest `chatty`: one exit to the VMM at each entry, and no write.
  package let exiting: CellRecord?
  /// The guest `ibrs-all`, which writes once, at boot.
  package let writesOnce: CellRecord?
}

extension BenchRecord {
  /// The entry of the cells, the first where there are several; nil where there is none.
  var entryOfCosts: Known<Entry>? { cells.first { $0.isMeasured && $0.kernel == nil && !$0.isPrimitive }?.entry }

  /// The cost of each measured policy: those known here in their usual order, then the others.
  var policyCosts: [PolicyCost] {
    let measured = cells.filter { $0.isMeasured && $0.kernel == nil && $0.neighbour == nil && $0.entry == entryOfCosts }
    let policies = measured.map(\.policy).uniqued
    let known = PolicyName.allCases.map(Known.known).filter(policies.contains)
    return (known + policies.filter { $0.value == nil }).map { policy in
      func cell(_ matches: (CellRecord) -> Bool) -> CellRecord? {
        measured.first { $0.policy == policy && $0.branches == 0 && matches($0) }
      }
      return PolicyCost(
        policy: policy, writer: cell { $0.isWriter() && $0.writesSubject(of: self) },
        quiet: cell { $0.workload == .bare },
        exiting: cell { $0.workload == .chatty && $0.exitsPerEntry == 1 },
        writesOnce: cell { $0.workload == .ibrsAll })
    }.filter { $0.writer != nil || $0.quiet != nil || $0.exiting != nil }
  }
}

extension BenchReport {
  /// The cost of each measured policy.
  package var policyCosts: [PolicyCost] { record.policyCosts }

  /// The entry of those costs.
  package var entryOfCosts: Known<Entry>? { record.entryOfCosts }
}

extension CellRecord {
  /// Whether the MSR that it writes is the one that the benchmark is about.
  fileprivate func writesSubject(of record: BenchRecord) -> Bool { msr == record.msr.index }
}
