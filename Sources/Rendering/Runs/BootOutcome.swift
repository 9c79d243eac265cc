// The outcome of a guest that was booted, or refused: its document, its line of TAP, and why it is a failure.
// Facts: testanything.org, TAP version 13; kvm-unit-tests scripts/runtime.bash (PASS, FAIL, SKIP).

public import Boot
public import Measurement

/// The JSON result of `spectrap boot`.
public struct BootDocument: Encodable {
  public let schemaVersion = 2
  /// The host, the moment and the run.
  public let identity: ResultIdentity
  /// The host in a few words.
  public let host: String
  public let guests: [BootReport]

  public init(identity: ResultIdentity, host: String, guests: [BootReport]) {
    self.identity = identity
    self.host = host
    self.guests = guests
  }
}

/// A guest's report, or why there is none.
public struct BootOutcome {
  public let name: String
  public let report: BootReport?
  /// Why it is a failure, as a sentence; nil for a success.
  public let failure: String?

  /// A guest that was not booted, and why.
  public init(name: String, refusal: String) {
    self.name = name
    report = nil
    failure = refusal
  }

  /// A guest that was booted under a time limit in seconds.
  public init(name: String, _ report: BootReport, limit: Double) {
    self.name = name
    self.report = report
    failure = report.failure(limit: limit)
  }

  /// `pass`, `fail` or `skip`.
  private var verdict: String { report?.end.verdict ?? (failure == nil ? "pass" : "fail") }

  /// The report, and the verdict on a test.
  public func document(on host: String) -> Document {
    guard let report else {
      return Document([.init([.paragraph(.init("FAIL \(name): \(failure ?? "not booted")"))])])
    }
    var document = report.document(on: host)
    if let verdict = report.end.verdict {
      document.sections.append(.init([.paragraph(.init("\(verdict.uppercased()) \(name): \(report.end.sentence)"))]))
    }
    return document
  }

  /// The first lines of results in TAP.
  public static func tapHeader(count: Int) -> String { "TAP version 13\n1..\(count)\n" }

  /// The line of a test in TAP.
  public func tapLine(_ number: Int) -> String {
    switch verdict {
    case "skip": "ok \(number) - \(name) # SKIP\n"
    case "pass": "ok \(number) - \(name)\n"
    default: "not ok \(number) - \(name)\(failure.map { " # \($0.printableLine)" } ?? "")\n"
    }
  }

  /// The number of outcomes with each verdict.
  public static func summary(of outcomes: [BootOutcome]) -> String {
    let counts = ["pass", "fail", "skip"].map { verdict in "\(outcomes.count { $0.verdict == verdict }) \(verdict)" }
    return "\n\(outcomes.count) images: \(counts.joined(separator: ", "))\n"
  }
}

extension BootReport {
  fileprivate func failure(limit: Double) -> String? {
    let last = end.lastLines.last.map { "; its last line was \"\($0)\"" } ?? ""
    let cause = end.lastLines.first.map { ": \($0)" } ?? ""
    return switch end.how {
    case "done", "powerOff", "reset": nil
    case "status" where end.status == 0 || end.verdict == "skip": nil
    case "status": "\(image) failed with status \(end.status ?? 0)\(last)"
    case "timeLimit": "\(image) was stopped after \(limit) s; its results are partial (see --time-limit)\(last)"
    case "cancelled": "\(image) was stopped on request; its results are partial"
    case "panic": "\(image): \(end.sentence)\(cause)"
    default: "\(image): \(end.sentence)\(last)"
    }
  }
}
