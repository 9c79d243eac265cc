// The report of a run as a person reads it.

import Experiments
import GuestImages
import Measurement
import Registers

extension RunReport {
  /// The text, with the host in a few words.
  func text(on host: String) -> String {
    var facts = TextTable()
    let chosen = chosenParameters.map { ", \($0.key) \($0.value)" }.joined()
    facts.add(
      "workload",
      "\(workload)\(chosen), \(iterations) iterations in \(samples) samples"
        + (completed ? "" : stopped == "paused" ? ", PAUSED" : ", NOT COMPLETED"))
    facts.add("entry", "\(entry) (\(entryChoice))")
    facts.add("policy", "\(policy) of \(msr.name) (\(msr.index))")
    facts.add("protects", protection.sentence)
    for warning in warnings { facts.add("WARNING", warning) }
    if let why = kvm.whyNone { facts.add("WARNING", "two witnesses instead of three: \(why)") }
    facts.add("host", host)
    if let origin { facts.add("came from", origin) }
    facts.add("guest's clock", guestLine)
    facts.add("host's clock", hostLine)
    facts.add(msr.name, registerLine)
    facts.add("guest is told", guest.told.line)
    if let sees = guest.sees { facts.add("guest sees", sees.line) }
    return facts.text(width: Terminal.width) + "\n" + exitTable + probeTable + roundTripTable
  }

  /// The parameters that are not the workload's default, by name.
  private var chosenParameters: [(key: String, value: Int)] {
    let defaults = workload.value.map { Workload($0).namedParameters } ?? [:]
    return parameters.filter { defaults[$0.key] != $0.value }.sorted { $0.key < $1.key }
  }

  private var guestLine: String {
    if let doubt = guest.clockDoubt { return "NOT BELIEVABLE, so there are no figures of it: \(doubt)" }
    guard let distribution = guest.distribution else { return "no sample was completed" }
    let interval = distribution.medianInterval95.map {
      ", 95 % interval \(Self.cycles($0.lower)) to \(Self.cycles($0.upper))"
    }
    return "\(Self.cycles(distribution.median)) cycles per iteration (median\(interval ?? "")), "
      + "min \(Self.cycles(distribution.minimum)), max \(Self.cycles(distribution.maximum))"
  }

  private var hostLine: String {
    if let cycles = vmm.cyclesPerExit {
      return "\(Self.cycles(cycles)) cycles per exit (the whole run, guest included, over its exits)"
    }
    return exits.total == 0 ? "no exit" : "no cost of an exit: this guest has fewer exits than iterations"
  }

  private var registerLine: String {
    let register = { (value: UInt64?) in value.map(Self.hex) ?? "not readable" }
    guard let start = msr.start, let end = msr.end else { return "takes writes only: there is nothing to read back" }
    return "guest reads \(Self.hex(start)) at start, \(Self.hex(end)) at end; "
      + "the vCPU's register \(register(msr.registerStart)), then \(register(msr.registerEnd))"
  }

  private var exitTable: String {
    var table = TextTable(right: [1, 2, 3])
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
    return table.text(width: Terminal.width)
  }

  private var probeTable: String {
    guard let steps = guest.probe else { return "" }
    var table = TextTable()
    for step in steps {
      table.add("  \(step.step)", Self.hex(step.value), step.faulted ? "#GP" : "ok")
    }
    return "\nWhat the guest saw\n" + table.text(width: Terminal.width)
  }

  private var roundTripTable: String {
    guard let roundTrips = vmm.roundTrips else { return "" }
    var table = TextTable(right: [1, 2, 3, 4, 5, 6])
    table.add("KVM_RUN, cycles", "count", "min", "p50", "p90", "p99", "max")
    for (reason, summary) in roundTrips.sorted(by: { $0.key < $1.key }) {
      table.add(
        reason, "\(summary.count)", "\(summary.minimum)", "\(summary.p50)", "\(summary.p90)", "\(summary.p99)",
        "\(summary.maximum)")
    }
    return "\n" + table.text(width: Terminal.width)
  }

  private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// Cycles without a fraction from 100 on, with one digit below.
  private static func cycles(_ value: Double) -> String {
    // A guest's memory may hold any two time stamps, and their difference may be more than 64 bits once it is rounded.
    guard value >= 100 else { return "\((value * 10).rounded() / 10)" }
    return UInt64(exactly: value.rounded()).map { "\($0)" } ?? "\(value)"
  }
}
