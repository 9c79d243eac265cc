// The tables and lists of a benchmark's document.

import Measurement
import Registers

extension BenchReport {
  /// The cells that are compared with a bare entry: workloads and bystanders, and the bare entries themselves.
  var workloadCells: [Cell] { cells.filter { $0.isMeasured && !$0.isPrimitive && $0.kernel == nil } }

  /// The cells of single instructions, without the loops that are subtracted from them.
  var primitiveCells: [Cell] {
    let loops = Set(cells.filter { $0.baselineUse == .subtract }.compactMap(\.baseline))
    return cells.filter { $0.isMeasured && $0.isPrimitive && !loops.contains($0.id) }
  }

  /// The cells that failed or are void, grouped by cause, as a sentence; nil for none.
  package var failures: String? {
    let failed = cells.filter { $0.status == .failed || $0.status == .void }.map { cell in
      (id: cell.id, cause: "\(cell.status.rawValue), \(cell.reason ?? "for no known cause")")
    }
    guard !failed.isEmpty else { return nil }
    let groups = Set(failed.map(\.cause)).sorted().map { cause in
      "\(failed.filter { $0.cause == cause }.map(\.id).joined(separator: ", ")) (\(cause))"
    }
    return "\(counted(failed.count, "cell")) gave no result: \(groups.joined(separator: "; "))"
  }

  /// The cost of each workload under each policy, a row for each cell, with its interval.
  func costTable(entry: Known<Entry>, withIntervals: Bool) -> Table {
    var table = Table(right: [3, 4, 5, 6, 7])
    table.add(["workload", "policy", "ends in", unit, "95 % interval", "x bare", "VMM", "KVM"])
    for cell in workloadCells where cell.entry == entry {
      guard let summary = cell.summary else { continue }
      let comparison = comparison(of: cell)
      let ratio = comparison.map { comparison in
        let interval = comparison.interval
        return Decimal.ratio(comparison.ratio)
          + (withIntervals ? " (\(Decimal.ratio(interval.lower)) to \(Decimal.ratio(interval.upper)))" : "")
          + company(in: comparison)
      }
      table.add([
        cell.label, cell.policyText, cell.place == .none ? "-" : cell.place.rawValue, Decimal.cost(summary.median),
        summary.intervalText, ratio ?? (isUnknown(.ratio, of: cell) ? "?" : "-"),
        cell.vmmExitsPerEntry.map(Decimal.count) ?? "?",
        cell.kvmExitsPerEntry.map(Decimal.count) ?? "?",
      ])
    }
    return table
  }

  /// The cost of single instructions, without their loop, a row for each cell.
  var primitiveTable: Table {
    var table = Table(right: [3, 4, 5, 6])
    table.add(["primitive", "policy", "ends in", unit, "95 % interval", "VMM", "KVM"])
    for cell in primitiveCells {
      guard let summary = cell.summary else { continue }
      let net =
        cell.baselineUse == .subtract
        ? cell.baseline.flatMap { self.cell($0) }.flatMap { estimates.difference(cell.record, minus: $0.record) } : nil
      table.add([
        cell.label + (net == nil ? " (with its loop)" : ""), cell.policyText,
        cell.end == .none ? "-" : cell.end.rawValue,
        net.map { $0.isCost ? Decimal.cycles($0.difference) : "?" } ?? Decimal.cost(summary.median),
        net.map { Decimal.costInterval($0.interval) } ?? summary.intervalText,
        cell.vmmExitsPerEntry.map(Decimal.count) ?? "?", cell.kvmExitsPerEntry.map(Decimal.count) ?? "?",
      ])
    }
    return table
  }

  /// The mean cost of each bystander beside a neighbour, over its mean cost alone.
  ///
  /// The median ignores the few samples in which the neighbour ran on the processor; the mean includes them.
  func companyLines(entry: Known<Entry>) -> [String] {
    let bystanders = workloadCells.filter { $0.entry == entry && $0.neighbour != nil }
    return bystanders.map(\.label).uniqued.compactMap { label in
      let ratios = bystanders.filter { $0.label == label }.compactMap { cell -> String? in
        guard let alone = cell.baseline.flatMap({ self.cell($0) }) else { return nil }
        guard let found = estimates.meanRatio(cell.record, over: alone.record) else {
          return "\(cell.policy) not known (too few rounds, or a mean that may not be above zero)"
        }
        let interval = "\(Decimal.ratio(found.interval.lower)) to \(Decimal.ratio(found.interval.upper))"
        return "\(cell.policy) \(Decimal.ratio(found.ratio)) (\(interval))"
      }
      return ratios.isEmpty ? nil : "\(label): \(ratios.joined(separator: ", "))"
    }
  }

  /// The caption of those lines.
  static let companyTitle =
    "Beside a neighbour, mean over the mean alone: a bystander's whole cost, with its neighbour's turns"

  /// Whether a cell's figure is not known.
  func isUnknown(_ figure: Unknown.What, of cell: Cell) -> Bool {
    unknown.contains { $0.cell == cell.id && $0.figure == figure }
  }

  /// The figures that are not known, grouped by kind and reason.
  var unknownGroups: [Document.Group] {
    let all = unknown.map { (id: $0.cell, why: "\($0.figure.text): \($0.reason)") }
    return all.map(\.why).uniqued.map { why in Document.Group(why, all.filter { $0.why == why }.map(\.id)) }
  }

  /// A note to the table of the samples' spread; nil where samples are not differences.
  var spreadNote: String? {
    guard clock.samplesAreDifferences else { return nil }
    let all = cells.filter(\.isMeasured).flatMap(\.settledRounds).flatMap { $0 }
    let below = all.count { !$0.isCost }
    return
      "Each sample is the difference of a run of 2N iterations and one of N: a disturbance of the shorter run makes it too "
      + "small. \(below) of \(all.count) are not above zero; they are shown as ?."
  }

  /// The spread of each cell's samples.
  ///
  /// Only the warm-up is left out; warm-up and outliers are counted.
  var spreadTable: Table {
    var table = Table(right: [1, 2, 3, 4, 5, 6, 7, 8, 9])
    table.add(["cell", "samples", "outliers", "warm-up", "min", "p50", "mean", "p90", "p99", "max"])
    for cell in cells {
      guard cell.isMeasured, let summary = cell.summary else { continue }
      let statistics = [
        summary.minimum, summary.median, summary.mean, summary.p90, summary.p99, summary.maximum,
      ]
      table.add(
        [
          cell.id, "\(summary.count)", summary.outliers.map { "\($0)" } ?? "?", "\(cell.warmUpCount)",
        ] + statistics.map(Decimal.cost))
    }
    return table
  }

  /// The circumstances of the measurement.
  var facts: [Document.Fact] {
    let warmUp = cells.reduce(0) { $0 + $1.warmUpCount }
    let samples = cells.reduce(0) { $0 + $1.rounds.reduce(0) { $0 + $1.count } }
    let rounds = cells.map(\.rounds.count).max() ?? 0
    let clock = clock.hertz.map { ", \(Decimal.text($0 / 1e6, digits: 0)) MHz" } ?? ""
    let reading = self.clock.overheadCycles
    let ending =
      switch ended {
      case .precision: "every ratio known to \(Decimal.percent(precision ?? 0))"
      case .time: "the time was used up before every ratio was known to \(Decimal.percent(precision ?? 0))"
      case .rounds: "the requested number of rounds"
      case .cancelled: "cancelled"
      }
    let subject =
      msr.isSpecCtrl
      ? [] : [Document.Fact("register", "\(msr.name) (\(msr.index)); the claims of 2018 are about IA32_SPEC_CTRL")]
    return subject + [
      Document.Fact("host", host.summary),
      Document.Fact(
        "measured",
        "\(counted(rounds, "round")), \(counted(samples, "sample")) (\(warmUp) of them warm-up) in \(Decimal.text(elapsed, digits: 1)) s; "
          + "\(ending)\(partial ? "; PARTIAL" : "")"
      ),
      Document.Fact(
        "clock",
        "guest's time-stamp counter\(clock), "
          + (reading == 0
            ? "whose own cost is in no sample" : "\(Decimal.cycles(reading)) \(unit) per sample subtracted")
      ),
      Document.Fact("seed", "\(seed)"),
    ] + switching
  }
}

extension BenchReport {
  /// How KVM switches SPEC_CTRL, and who carries out the policies that name a mechanism of the hardware.
  private var switching: [Document.Fact] {
    let mechanisms = cells.compactMap { cell in
      cell.mechanism.map { "\(cell.policy) \($0.value?.summary ?? $0.text)" }
    }
    return [
      host.specCtrlMode.map { Document.Fact("SPEC_CTRL", "KVM switches it \($0.value?.summary ?? $0.text)") },
      mechanisms.isEmpty ? nil : Document.Fact("mechanisms", mechanisms.uniqued.joined(separator: "; ")),
    ].compactMap(\.self)
  }
}

extension CellRecord {
  /// Its policy, marked where the hardware carries it out.
  var policyText: String { policy.text + (mechanism == .known(.hardware) ? " (VMX)" : "") }
}

extension CellRecord {
  /// The work of its guest: "ibrs, 4 writes, 2 exits", "wrmsr of IA32_TSC_ADJUST", "chatty, neighbour on its CPU".
  ///
  /// It has the writes and exits if they are not the workload's own.
  var label: String {
    func count(_ number: Int, _ one: String) -> String {
      "\(number) \(one)\(number == 1 ? "" : one.hasSuffix("h") ? "es" : "s")"
    }
    var parts = [workload.text]
    if let msr, !writesSpecCtrl { parts[0] += " of \(msr.value.map { "\($0)" } ?? msr.text)" }
    if [.ibrs, .chatty, .retpoline].contains(workload.value) {
      if writesPerEntry != (workload == .ibrs ? 2 : 0) { parts.append(count(writesPerEntry, "write")) }
      if exitsPerEntry != (workload == .chatty ? 1 : 0) { parts.append(count(exitsPerEntry, "exit")) }
    }
    if branches > 0 { parts.append(count(branches, "branch")) }
    if let neighbour { parts.append("neighbour on \(neighbour == .sameCPU ? "its" : "another") CPU") }
    return parts.joined(separator: ", ")
  }
}

extension BenchReport.Unknown.What {
  /// The figure's name in text.
  fileprivate var text: String {
    switch self {
    case .median: "cost"
    case .mean: "mean cost"
    case .ratio: "ratio"
    case .netCost: "cost without the loop"
    }
  }
}

extension Distribution {
  /// The median's interval as text.
  var intervalText: String {
    medianInterval95.map(Decimal.costInterval) ?? "too few"
  }
}
