// Cells made for a test: a benchmark of anything.

import GuestImages
import Hypervisor
import Measurement
import Testing
import TestSupport

@testable import Experiments

/// The tests that measure, one after the other: all would use the same processor.
@Suite("Benchmarks in turn", .needsKVM, .serialized)
enum BenchesInTurn {}

extension PlannedCell {
  /// A cell of this id that runs a workload under `emulate`, by default in ring 0 alone.
  init(
    _ id: String, _ workload: Workload, entry: Entry = .none, over baseline: String? = nil, on kvm: borrowing KVM
  ) throws {
    self.init(
      cell: CellRecord(
        id: id, workload: workload.name, entry: .known(entry), policy: .known(.emulate), baseline: baseline,
        baselineUse: baseline == nil ? nil : .divide),
      experiment: try Experiment(running: workload, entry: entry, policy: .emulate, iterations: 1, samples: 1),
      terms: try Terms.prove(.specCtrl, on: kvm), neighbour: nil)
  }
}

extension Bench {
  /// Runs a benchmark of these workloads for so long, whatever is known by then.
  static func report(
    of cells: [(id: String, workload: Workload)], for time: Duration, seed: UInt64 = 18,
    control: RunControl = makeControl(), progress: (Double) -> Void = { _ in }
  ) throws -> BenchReport {
    var options = BenchOptions()
    options.time = time
    options.precision = 1e-9
    options.seed = seed
    return try report(of: cells, options, control: control, progress: progress)
  }

  /// Runs a benchmark of these workloads.
  static func report(
    of cells: [(id: String, workload: Workload)], _ options: BenchOptions, control: RunControl = makeControl(),
    progress: (Double) -> Void = { _ in }
  ) throws -> BenchReport {
    var bench = try Bench(options) { kvm, _, _ in
      var planned: [PlannedCell] = []
      for cell in cells { planned.append(try PlannedCell(cell.id, cell.workload, on: kvm)) }
      return planned
    }
    return try bench.run(control: control, progress: progress)
  }
}
