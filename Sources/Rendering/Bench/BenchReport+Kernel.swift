// The costs of a real kernel's work, in a table of its own, and its verdict on the claims.

import Measurement
import Registers

extension BenchReport {
  /// The cells of kernels.
  var kernelCells: [Cell] { cells.filter { $0.isMeasured && $0.kernel != nil } }

  var kernelSection: Document.Section? {
    guard !kernelCells.isEmpty else { return nil }
    return Document.Section(
      .init(
        "A Linux kernel's own work",
        remark: ", x open: over the same under passthrough; writes that reached the VMM, and exits, as KVM counts them",
        note: "x open: over the same under passthrough. Writes that reached the VMM, and exits, as KVM counts them."),
      [.table(kernelTable), .list(caption: "What the kernels report about Spectre v2:", kernelLines)])
  }

  /// The cost of each work in each kernel under each policy.
  private var kernelTable: Table {
    var table = Table(right: [4, 5, 6, 7, 8])
    table.add(["work", "told", "policy", "ends in", unit, "95 % interval", "x open", "writes", "KVM"])
    for cell in kernelCells {
      guard let summary = cell.summary, let kernel = cell.kernel else { continue }
      let ratio = comparison(of: cell).map { Decimal.ratio($0.ratio) }
      table.add([
        kernel.work.text, kernel.mitigation.text, cell.policyText, cell.place == .none ? "-" : cell.place.rawValue,
        Decimal.cost(summary.median), summary.intervalText, ratio ?? (isUnknown(.ratio, of: cell) ? "?" : "-"),
        kernel.writesPerIteration.map(Decimal.count) ?? "?", cell.kvmExitsPerEntry.map(Decimal.count) ?? "?",
      ])
    }
    return table
  }

  /// The report of each kernel; equal reports share a line.
  private var kernelLines: [String] {
    let kernels = kernelCells.compactMap(\.kernel)
    return kernels.map(\.mitigation).uniqued.flatMap { told in
      kernels.filter { $0.mitigation == told }.map { $0.says ?? "nothing" }.uniqued.map { "told \(told): \($0)" }
    }
  }
}

extension CellRecord.Kernel {
  /// Writes that reached the VMM in each iteration; nil where none were counted.
  var writesPerIteration: Double? { iterations > 0 ? Double(writes) / Double(iterations) : nil }
}

extension BenchReport.Verdict.Confirmation {
  /// The second line of a verdict.
  var text: String {
    let word =
      switch agrees {
      case true?: "confirms that"
      case false?: "does not confirm that"
      case nil: "leaves that open"
      }
    return "A real kernel \(word). \(reason)"
  }
}
