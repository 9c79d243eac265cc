// The report of a run as a person reads it.

import Experiments
import GuestImages
import Measurement

extension RunReport {
  /// How long a sentence's line may be, in characters.
  private static let lineWidth = 84

  /// The text, with the host in a few words.
  func text(on host: String) -> String {
    var facts = Table()
    let chosen = chosenParameters.map { ", \($0.key) \($0.value)" }.joined()
    facts.add(
      "workload",
      "\(workload)\(chosen), \(iterations) iterations in \(samples) samples"
        + (completed ? "" : stopped == "paused" ? ", PAUSED" : ", NOT COMPLETED"))
    facts.add("entry", "\(entry) (\(entryChoice))")
    facts.add("policy", "\(policy) of \(msr.name) (\(msr.index))")
    let protects = (protectionWords[protection.level] ?? protection.level) + ": " + protection.reason
    for (index, line) in protects.wrapped(Self.lineWidth, indent: 0).split(separator: "\n").enumerated() {
      facts.add(index == 0 ? "protects" : "", String(line))
    }
    for warning in warnings {
      for (index, line) in warning.wrapped(Self.lineWidth, indent: 0).split(separator: "\n").enumerated() {
        facts.add(index == 0 ? "WARNING" : "", String(line))
      }
    }
    facts.add("host", host)
    if let origin { facts.add("came from", origin) }
    for (index, line) in guestLine.wrapped(Self.lineWidth, indent: 0).split(separator: "\n").enumerated() {
      facts.add(index == 0 ? "guest's clock" : "", String(line))
    }
    facts.add(
      "host's clock",
      vmm.cyclesPerExit.map { "\(Self.cycles($0)) cycles per exit (the whole run, guest included, over its exits)" }
        ?? "no exit")
    facts.add(msr.name, registerLine)
    facts.add("guest is told", guest.told.line)
    if let sees = guest.sees { facts.add("guest sees", sees.line) }
    return facts.text + "\n" + exitTable + probeTable + roundTripTable
  }

  /// The parameters that are not the workload's default, by name.
  private var chosenParameters: [(key: String, value: Int)] {
    let defaults = Workload.Name(rawValue: workload).map { Workload($0).parameters } ?? [:]
    return parameters.filter { defaults[$0.key] != $0.value }.sorted { $0.key < $1.key }
  }

  private var protectionWords: [String: String] {
    ["guest": "as the guest chooses", "maskedBits": "the host's bits alone", "notApplicable": "not applicable"]
  }

  private var guestLine: String {
    if let doubt = guest.clockDoubt { return "NOT BELIEVABLE, so there are no figures of it: \(doubt)" }
    guard let distribution = guest.distribution else { return "no sample was completed" }
    let interval = distribution.medianInterval95.map {
      ", 95 % interval \(Self.cycles($0[0])) to \(Self.cycles($0[1]))"
    }
    return "\(Self.cycles(distribution.median)) cycles per iteration (median\(interval ?? "")), "
      + "min \(Self.cycles(distribution.minimum)), max \(Self.cycles(distribution.maximum))"
  }

  private var registerLine: String {
    let register = { (value: UInt64?) in value.map(Self.hex) ?? "not readable" }
    guard let start = msr.start, let end = msr.end else { return "takes writes only: there is nothing to read back" }
    return "guest reads \(Self.hex(start)) at start, \(Self.hex(end)) at end; "
      + "the vCPU's register \(register(msr.registerStart)), then \(register(msr.registerEnd))"
  }

  private var exitTable: String {
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
    return table.text
  }

  private var probeTable: String {
    guard let steps = guest.probe else { return "" }
    var table = Table()
    for step in steps {
      table.add("  \(step.step)", Self.hex(step.value), step.faulted ? "#GP" : "ok")
    }
    return "\nWhat the guest saw\n" + table.text
  }

  private var roundTripTable: String {
    guard let roundTrips = vmm.roundTrips else { return "" }
    var table = Table(right: [1, 2, 3, 4, 5, 6])
    table.add("KVM_RUN, cycles", "count", "min", "p50", "p90", "p99", "max")
    for (reason, summary) in roundTrips.sorted(by: { $0.key < $1.key }) {
      table.add(
        reason, "\(summary.count)", "\(summary.minimum)", "\(summary.p50)", "\(summary.p90)", "\(summary.p99)",
        "\(summary.maximum)")
    }
    return "\n" + table.text
  }

  private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// Cycles without a fraction from 100 on, with one digit below.
  private static func cycles(_ value: Double) -> String {
    // A guest's memory may hold any two time stamps, and their difference may be more than 64 bits once it is rounded.
    guard value >= 100 else { return "\((value * 10).rounded() / 10)" }
    return UInt64(exactly: value.rounded()).map { "\($0)" } ?? "\(value)"
  }
}
