// What becomes of a guest that was booted, or refused: its document, a line of TAP, an exit status.
// Facts: testanything.org, TAP version 13; kvm-unit-tests scripts/runtime.bash (PASS, FAIL, SKIP).

import Boot
import Rendering

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

  /// The report, and the verdict on a test.
  func document(on host: String) -> Document {
    guard let report else {
      return Document([.init([.paragraph(.init("FAIL \(name): \(failure?.message ?? "not booted")"))])])
    }
    var document = report.document(on: host)
    if let verdict = report.end.verdict {
      document.sections.append(.init([.paragraph(.init("\(verdict.uppercased()) \(name): \(report.end.sentence)"))]))
    }
    return document
  }

  /// The line of a test in TAP.
  func tapLine(_ number: Int) -> String {
    switch verdict {
    case "skip": "ok \(number) - \(name) # SKIP\n"
    case "pass": "ok \(number) - \(name)\n"
    default: "not ok \(number) - \(name)\(failure.map { " # \($0.message.printableLine)" } ?? "")\n"
    }
  }

  /// How many there are of each verdict.
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
}
