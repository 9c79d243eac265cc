// What there is to say of a guest that was booted, or refused: as text, as a line of TAP, as an exit status.
// Facts: testanything.org, TAP version 13; kvm-unit-tests scripts/runtime.bash (PASS, FAIL, SKIP).

import Boot
import Experiments
import Hypervisor
import Measurement

/// The results of `spectrap boot`.
struct BootDocument: Encodable {
  let schemaVersion = 1
  let host: String
  let guests: [BootReport]

  init(host: String, guests: [BootReport]) {
    self.host = host
    self.guests = guests
  }
}

/// A guest's report, or why there is none.
struct BootOutcome {
  let name: String
  let report: BootReport?
  /// Why this is no success; nil where it is one.
  let failure: Failure?

  /// A guest that was not booted.
  init(name: String, refusal: Failure) {
    self.name = name
    report = nil
    failure = refusal
  }

  /// A guest that was.
  init(name: String, _ report: BootReport, limit: Double) {
    self.name = name
    self.report = report
    failure = report.failure(limit: limit)
  }

  /// `pass`, `fail` or `skip`.
  private var verdict: String { report?.end.verdict ?? (failure == nil ? "pass" : "fail") }

  // MARK: Text

  func text(on host: String) -> String {
    guard let report else { return "FAIL \(name): \(failure?.message ?? "not booted")\n" }
    let line = report.end.verdict.map { "\n\($0.uppercased()) \(name): \(report.end.sentence)\n" }
    return report.text(on: host) + (line ?? "")
  }

  func tapLine(_ number: Int) -> String {
    switch verdict {
    case "skip": "ok \(number) - \(name) # SKIP\n"
    case "pass": "ok \(number) - \(name)\n"
    default: "not ok \(number) - \(name)\(failure.map { " # \($0.message.printableLine)" } ?? "")\n"
    }
  }

  static func summary(of outcomes: [BootOutcome]) -> String {
    let counts = ["pass", "fail", "skip"].map { word in "\(outcomes.count { $0.verdict == word }) \(word)" }
    return "\n\(outcomes.count) images: \(counts.joined(separator: ", "))\n"
  }

  /// The failure of all: the only one's own, or how many there are of them.
  static func failure(of outcomes: [BootOutcome]) -> Failure? {
    let failures = outcomes.compactMap(\.failure)
    guard let first = failures.first, outcomes.count > 1 else { return failures.first }
    return Failure(
      status: first.status, message: "\(failures.count) of \(outcomes.count) images failed; first \(first.message)")
  }
}

extension BootReport {
  /// Why this is no success; nil where it is one.
  fileprivate func failure(limit: Double) -> Failure? {
    let last = end.lastLines.last.map { "; its last line was \"\($0)\"" } ?? ""
    let cause = end.lastLines.first.map { ": \($0)" } ?? ""
    switch end.how {
    case "done", "powerOff", "reset": return nil
    case "status" where end.status == 0 || end.verdict == "skip": return nil
    case "status":
      return Failure(status: .software, message: "\(image) failed with status \(end.status ?? 0)\(last)")
    case "timeLimit":
      return Failure(
        status: .timedOut,
        message: "\(image) was stopped after \(limit) s; what is said of it is partial (see --time-limit)\(last)")
    case "cancelled":
      return Failure(status: .interrupted, message: "\(image) was stopped on request; what is said of it is partial")
    case "panic": return Failure(status: .software, message: "\(image): \(end.sentence)\(cause)")
    default: return Failure(status: .software, message: "\(image): \(end.sentence)\(last)")
    }
  }

  fileprivate func text(on host: String) -> String {
    var facts = TextTable()
    facts.add(
      "image",
      "\(image), \(format)\(isLinux ? ", a Linux kernel" : ""); \(memory >> 20) MiB, "
        + (timer == "pit" ? "PIT" : "no timer"))
    if !commandLine.isEmpty { facts.add("command line", commandLine) }
    facts.add("policy", "\(policy) of IA32_SPEC_CTRL (0x48)")
    facts.add("protects", protectionSentence)
    if let droppedBarriers {
      facts.add(
        "WARNING",
        "the guest ran without its barriers: \(droppedBarriers) writes of IA32_PRED_CMD were dropped (--drop-pred-cmd)")
    }
    if !hidden.isEmpty { facts.add("hidden", hidden.joined(separator: ", ")) }
    facts.add("host", host)
    facts.add("ended", "\(end.sentence), after \(Self.seconds(seconds))")
    if let bootSeconds { facts.add("booted", "its first process began after \(Self.seconds(bootSeconds))") }
    if let mitigation { facts.add("its kernel says", "spectre_v2: \(mitigation)") }
    return facts.text(width: Terminal.width) + "\n" + exitTable + kernelTable + lastWords
  }

  private var protectionSentence: String {
    let level = Protection.Level(rawValue: protection)?.word ?? protection
    return "\(level); \(protectionReason)"
  }

  private var exitTable: String {
    var table = TextTable(right: [1, 2])
    table.add("Exits", "VMM", "KVM")
    for (reason, count) in exits.byReason.sorted(by: { $0.key < $1.key }) { table.add(reason, "\(count)", "") }
    table.add("total", "\(exits.total)", exits.kvm.map { "\($0)" } ?? "no statistics")
    for (msr, count) in exits.byMSR.sorted(by: { $0.key < $1.key }) {
      table.add("  \(msr) read", "\(count.reads)", "")
      table.add("  \(msr) written", "\(count.writes)", "")
    }
    for (name, count) in policyTally.sorted(by: { $0.key < $1.key }) { table.add("policy: \(name)", "\(count)", "") }
    var text = table.text(width: Terminal.width)
    if !unservedMSRs.isEmpty {
      let names = unservedMSRs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.reads + $0.value.writes)" }
      text += "MSRs of which KVM refused an access, so that it faulted: \(names.joined(separator: ", "))"
        .wrapped(width: Terminal.width)
    }
    return text
  }

  private var kernelTable: String {
    guard !kernel.isEmpty else { return "" }
    var table = TextTable(right: [1, 2, 3, 4])
    table.add("The kernel's work, each", "median", "min", "writes", "KVM exits")
    for figure in kernel {
      let exits = figure.kvmExits.map { Self.digits(Double($0) / Double(max(1, figure.total))) } ?? "?"
      table.add(
        figure.name, Self.digits(figure.median), Self.digits(figure.minimum), Self.digits(figure.writesPerRepetition),
        exits)
    }
    return "\n" + table.text(width: Terminal.width)
  }

  /// The last lines of a guest that did not end well.
  private var lastWords: String {
    guard ["panic", "tripleFault", "failed", "timeLimit"].contains(end.how), !end.lastLines.isEmpty else { return "" }
    return "\nThe last lines of its serial port\n" + end.lastLines.map { "  \($0.printableLine)\n" }.joined()
  }

  private static func seconds(_ value: Double) -> String {
    value < 1 ? "\(digits(value * 1000)) ms" : "\((value * 10).rounded() / 10) s"
  }

  private static func digits(_ value: Double) -> String {
    let hundredths = Int(exactly: (value * 100).rounded()) ?? 0
    let (whole, rest) = abs(hundredths).quotientAndRemainder(dividingBy: 100)
    return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }
}

extension BootReport.Figure {
  /// All repetitions.
  fileprivate var total: Int { (short.count + 2 * long.count) * repetitions }
}
