// The report of a booted guest as a person reads it.

public import Boot
import Experiments
import Measurement
import Registers

extension BootReport {
  /// The report as a document, with the host in a few words.
  public func document(on host: String) -> Document {
    Document(
      [
        .init([.facts(facts(on: host))]), exitSection,
        KVMCounts(statistics: exits.kvmStatistics, exitReasons: exits.exitReasons).section, kernelSection, lastWords,
      ].compactMap(\.self))
  }

  private func facts(on host: String) -> [Document.Fact] {
    let kind = isLinux ? "\(format), a Linux kernel" : format
    let level = ProtectionLevel(rawValue: protection)?.summary ?? protection
    let dropped = droppedBarriers.map {
      Document.Fact.warning(
        "the guest ran without its barriers: \($0) writes of IA32_PRED_CMD were dropped (--drop-pred-cmd)")
    }
    let facts: [Document.Fact?] = [
      .init("image", "\(image), \(kind); \(memory >> 20) MiB, \(timer == "pit" ? "PIT" : "no timer")"),
      commandLine.isEmpty ? nil : .init("command line", commandLine),
      .init(
        "policy",
        "\(policy) of IA32_SPEC_CTRL (0x48)"
          + (mechanism.map { ", \(PolicyMechanism(rawValue: $0)?.summary ?? $0)" } ?? "")),
      .init("protects", "\(level); \(protectionReason)"),
      dropped,
      hidden.isEmpty ? nil : .init("hidden", hidden.joined(separator: ", ")), .init("host", host),
      .init("ended", "\(end.sentence), after \(Self.time(seconds))"),
      bootSeconds.map { .init("booted", "its first process began after \(Self.time($0))") },
      mitigation.map { .init("its kernel says", "spectre_v2: \($0)") },
    ]
    return facts.compactMap(\.self)
  }

  private static func time(_ seconds: Double) -> String {
    seconds < 1 ? "\(Decimal.text(seconds * 1000, digits: 2)) ms" : "\(Decimal.text(seconds, digits: 1)) s"
  }

  private var exitSection: Document.Section {
    var table = Table(right: [1, 2])
    table.add("Exits", "VMM", "KVM")
    for (reason, count) in exits.byReason.sorted(by: { $0.key < $1.key }) { table.add(reason, "\(count)", "") }
    table.add("total", "\(exits.total)", exits.kvm.map { "\($0)" } ?? "no statistics")
    for (msr, count) in exits.byMSR.sorted(by: { $0.key < $1.key }) {
      if count.reads > 0 { table.add("  \(msr) read", "\(count.reads)", "") }
      if count.writes > 0 { table.add("  \(msr) written", "\(count.writes)", "") }
    }
    for (name, count) in policyTally.sorted(by: { $0.key < $1.key }) { table.add("policy: \(name)", "\(count)", "") }
    let refused = unservedMSRs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.reads + $0.value.writes)" }
    let sentence = "MSRs whose accesses KVM refused, so that they faulted: \(refused.joined(separator: ", "))"
    let blocks: [Document.Block] = [.table(table), .paragraph(.init(sentence))]
    return .init(refused.isEmpty ? [blocks[0]] : blocks)
  }

  private var kernelSection: Document.Section? {
    guard !kernel.isEmpty else { return nil }
    var table = Table(right: [1, 2, 3, 4])
    table.add("The kernel's work, each", "median", "min", "writes", "KVM exits")
    for figure in kernel {
      let digits = { (value: Double) in Decimal.text(value, digits: 2) }
      let exits = figure.kvmExits.map { digits(Double($0) / Double(max(1, figure.total))) } ?? "?"
      table.add(
        figure.name, digits(figure.median), digits(figure.minimum), digits(figure.writesPerRepetition), exits)
    }
    return .init([.table(table)])
  }

  /// The last lines of a guest that did not end well.
  private var lastWords: Document.Section? {
    guard ["panic", "tripleFault", "failed", "timeLimit"].contains(end.how), !end.lastLines.isEmpty else { return nil }
    return .init([.list(caption: "The last lines of its serial port", end.lastLines.map(\.inOneLine))])
  }
}
