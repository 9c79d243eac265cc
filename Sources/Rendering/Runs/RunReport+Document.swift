// The report of a run as a person reads it.

import Experiments
import GuestImages
public import Measurement
import Registers

extension RunReport {
  /// The report as a document, with the host in a few words.
  public func document(on host: String) -> Document {
    Document(
      [
        .init([.facts(facts(on: host))]), .init([.table(exitTable)]),
        KVMCounts(statistics: kvm.statistics, exitReasons: kvm.exitReasons).section, probeSection, roundTripSection,
      ].compactMap(\.self))
  }

  private func facts(on host: String) -> [Document.Fact] {
    let chosen = chosenParameters.map { ", \($0.key) \($0.value)" }.joined()
    let ending = completed ? "" : stopped == "paused" ? ", PAUSED" : ", NOT COMPLETED"
    let given: [Document.Fact] = [
      .init(
        "workload",
        "\(workload)\(chosen), \(counted(iterations, "iteration")) in \(counted(samples, "sample"))\(ending)"),
      .init("entry", "\(entry) (\(entryChoice))"),
      .init("policy", "\(policy) of \(msr.name) (\(msr.index))\(carriedOut)"),
      .init("protects", protection.text),
    ]
    let whyTwo = kvm.whyNone.map { ["two witnesses instead of three: \($0)"] } ?? []
    let place = [.init("host", host), origin.map { .init("came from", $0) }].compactMap(\.self) as [Document.Fact]
    let found: [Document.Fact?] = [
      .init("guest's clock", guestClock), .init("host's clock", hostClock), .init(msr.name, register),
      .init("guest is told", guest.told.text), guest.sees.map { .init("guest sees", $0.text) },
    ]
    return given + (warnings + whyTwo).map(Document.Fact.warning) + place + found.compactMap(\.self)
  }

  /// Whether the hardware or a model carries the policy out, to follow its name.
  private var carriedOut: String { mechanism.map { ", \($0.value?.summary ?? $0.text)" } ?? "" }

  /// The parameters that are not the workload's default, by name.
  private var chosenParameters: [(key: String, value: Int)] {
    let defaults = workload.value.map { Workload($0).namedParameters } ?? [:]
    return parameters.filter { defaults[$0.key] != $0.value }.sorted { $0.key < $1.key }
  }

  private var guestClock: String {
    if let doubt = guest.clockDoubt { return "CANNOT BE BELIEVED, so it gives no figures: \(doubt)" }
    guard let distribution = guest.distribution else { return "no sample was completed" }
    let interval = distribution.medianInterval95.map {
      ", 95 % interval \(Decimal.cycles($0.lower)) to \(Decimal.cycles($0.upper))"
    }
    return "\(Decimal.cycles(distribution.median)) cycles per iteration (median\(interval ?? "")), "
      + "min \(Decimal.cycles(distribution.minimum)), max \(Decimal.cycles(distribution.maximum))"
  }

  private var hostClock: String {
    if let cycles = vmm.cyclesPerExit {
      return "\(Decimal.cycles(cycles)) cycles per exit (the whole run, guest included, over its exits)"
    }
    return exits.total == 0 ? "no exit" : "no cost of an exit: this guest has fewer exits than iterations"
  }

  private var register: String {
    let held = { (value: UInt64?) in value?.hex ?? "not readable" }
    guard let start = msr.start, let end = msr.end else { return "takes writes only: there is nothing to read back" }
    return "guest reads \(start.hex) at start, \(end.hex) at end; "
      + "the vCPU's register \(held(msr.registerStart)), then \(held(msr.registerEnd))"
  }

  private var exitTable: Table {
    var table = Table(right: [1, 2, 3])
    table.add("Exits", "VMM", "KVM", "guest was built for")
    let built = [
      "readMSR": guest.expected.msrReads, "writeMSR": guest.expected.msrWrites, "portOut": guest.expected.portOuts,
      "mmioWrite": guest.expected.mmioWrites, "halt": guest.expected.halts,
    ]
    for reason in Set(exits.byReason.keys).union(built.filter { $0.value > 0 }.keys).sorted() {
      table.add(reason, "\(exits.byReason[reason] ?? 0)", "", built[reason].map { "\($0)" } ?? "")
    }
    if guest.expected.msr != msr.index, guest.expected.msrReads + guest.expected.msrWrites > 0 {
      table.add("  (of \(guest.expected.msr), which the policy does not intercept)", "", "", "")
    }
    table.add("total", "\(exits.total)", kvm.exits.map { "\($0)" } ?? "no statistics", "")
    if let light = kvm.lightExits { table.add("ended inside KVM", "", "\(light)", "") }
    for (name, count) in policyTally.sorted(by: { $0.key < $1.key }) {
      table.add("policy: \(name)", "\(count)", "", "")
    }
    if exits.interruptions > 0 { table.add("interrupted by signals", "\(exits.interruptions)", "", "") }
    return table
  }

  private var probeSection: Document.Section? {
    guard let steps = guest.probe else { return nil }
    var table = Table(indent: 2)
    for step in steps { table.add(step.step, step.value.hex, step.faulted ? "#GP" : "ok") }
    return .init("What the guest saw", [.table(table)])
  }

  private var roundTripSection: Document.Section? {
    guard let roundTrips = vmm.roundTrips else { return nil }
    var table = Table(right: [1, 2, 3, 4, 5, 6])
    table.add("KVM_RUN, cycles", "count", "min", "p50", "p90", "p99", "max")
    for (reason, summary) in roundTrips.sorted(by: { $0.key < $1.key }) {
      table.add(
        reason, "\(summary.count)", "\(summary.minimum)", "\(summary.p50)", "\(summary.p90)", "\(summary.p99)",
        "\(summary.maximum)")
    }
    return .init([.table(table)])
  }
}
