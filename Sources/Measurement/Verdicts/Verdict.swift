// From the claims to the verdicts: what all rules have in common.

extension BenchReport.Verdict {
  /// The verdict on a claim from a record; `doubtOfClock` says why the clock cannot be believed.
  init(on claim: BenchReport.Claim, from record: BenchRecord, doubtOfClock: String?) {
    let rule = claim.rule
    let lacks = rule.needs.compactMap { $0.lack(in: record) }
    if let lack = lacks.first(where: \.hidesFigures) {
      self.init(claim: claim, outcome: lack.outcome, figures: [], reason: lack.reason.asSentence)
      return
    }
    if let doubtOfClock {
      self.init(
        claim: claim, outcome: .notDecided, figures: [],
        reason: "the clock cannot be believed: \(doubtOfClock)".asSentence)
      return
    }
    let own = Judgement(lacks, record, rule, sharing: rule.comparisons(record), rule.judge)
    // The missing conditions are named once.
    let kernel = rule.kernel.flatMap { kernel in
      record.measuresKernels
        ? Judgement(lacks, record, rule, sharing: kernel.comparisons(record), tellsLacks: false, kernel.judge) : nil
    }
    self.init(
      claim: claim, outcome: own.outcome, figures: own.figures, reason: own.reason,
      kernel: kernel.map { kernel in
        let isDecided = [own, kernel].allSatisfy { $0.byFigures == .holds || $0.byFigures == .doesNotHold }
        return Confirmation(
          outcome: kernel.outcome, agrees: isDecided ? own.byFigures == kernel.byFigures : nil, figures: kernel.figures,
          reason: kernel.reason)
      })
  }
}

/// The judgement of a rule on one kind of guest.
private struct Judgement {
  let outcome: BenchReport.Verdict.Outcome
  /// The outcome by the figures, whatever conditions are missing; nil if there are no figures.
  let byFigures: BenchReport.Verdict.Outcome?
  let figures: [BenchReport.Figure]
  let reason: String
}

extension Judgement {
  fileprivate init(
    _ lacks: [Need.Lack], _ record: BenchRecord, _ rule: ClaimRule, sharing comparisons: Int, tellsLacks: Bool = true,
    _ judge: (Evidence) throws(Evidence.Missing) -> Ruling
  ) {
    do throws(Evidence.Missing) {
      self = Self(try judge(Evidence(record, sharing: comparisons)), lacks, record, rule, tellsLacks)
    } catch {
      let reasons = (tellsLacks ? lacks.map(\.reason) : []) + [error.reason]
      // If this host cannot do it at all, that outranks a clock of the wrong kind.
      let isImpossible = error.outcome == .cannotBeTested && !record.host.isSoftwareKVM
      self = Self(
        outcome: isImpossible ? error.outcome : lacks.outcome ?? error.outcome, byFigures: nil, figures: error.figures,
        reason: reasons.joined(separator: "; ").asSentence)
    }
  }

  private init(
    _ ruling: Ruling, _ lacks: [Need.Lack], _ record: BenchRecord, _ rule: ClaimRule, _ tellsLacks: Bool
  ) {
    let shaky = record.environment.isExact ? nil : ruling.findings.first { !$0.standsOnEnough(record.unit) }
    var outcome = ruling.outcome
    var reason = "\(ruling.reason); the tolerance is \(rule.tolerance)"
    if let lack = lacks.outcome {
      outcome = lack
      reason = ((tellsLacks ? lacks.map(\.reason) : []) + [Self.told(ruling, lacks, record, rule)]).joined(
        separator: "; ")
    } else if let shaky {
      (outcome, reason) = (.notEnoughRounds, shaky.lack(of: record.unit))
    }
    if tellsLacks, let caveat = record.host.caveat { reason += "; measured \(caveat)" }
    self = Self(
      outcome: outcome, byFigures: shaky == nil ? ruling.outcome : nil, figures: ruling.findings.map(\.figure),
      reason: reason.asSentence)
  }

  /// The text about the figures of a claim whose conditions are not all met.
  private static func told(
    _ ruling: Ruling, _ lacks: [Need.Lack], _ record: BenchRecord, _ rule: ClaimRule
  ) -> String {
    guard record.environment.isExact else { return "here it \(ruling.outcome.text): \(ruling.reason)" }
    // A time that was not measured cannot be judged.
    guard rule.isAboutPaths else {
      return "an instruction count does not decide that: "
        + ruling.findings.map { "\($0.figure.name) \($0.text)" }.joined(separator: ", ")
    }
    if let ownCode = ruling.ownCode { return ownCode }
    let subject = lacks.allSatisfy { $0.need == .clockOfTime } ? "it" : "the model"
    return "judged by path lengths, \(subject) \(ruling.outcome.text): \(ruling.reason)"
  }
}

extension BenchReport.Verdict.Outcome {
  /// The outcome in words.
  public var text: String {
    switch self {
    case .holds: "holds"
    case .doesNotHold: "does not hold"
    case .cannotBeTested: "cannot be tested here"
    case .notMeasured: "not measured"
    case .notEnoughRounds: "not enough rounds"
    case .notDecided: "not decided"
    }
  }
}

extension HostReport {
  /// Whether its KVM virtualises without VMX and SVM.
  package var isSoftwareKVM: Bool { module == "kvm_pvm" }

  /// A caveat about a host whose exits are not those of VMX or SVM on bare metal; nil if they are.
  package var caveat: String? {
    let virtualisation: String? =
      switch module {
      case "kvm_intel", "kvm_amd": nil
      case "kvm_pvm": "under software virtualisation (kvm_pvm), whose exits are not those of VMX or SVM"
      default: "under \(module), whose exits may not be those of VMX or SVM"
      }
    let nested = isVirtualised ? "inside a virtual machine\(hypervisor.map { " (\($0))" } ?? "")" : nil
    let parts = [virtualisation, nested].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}

extension BenchRecord {
  /// The rounds that the strictest verdict needs.
  var fewestRoundsOfVerdicts: Int {
    BenchReport.Claim.allCases.flatMap { claim -> [Int] in
      let kernel = measuresKernels ? claim.rule.kernel.map { $0.comparisons(self) } : nil
      return [claim.rule.comparisons(self)] + [kernel].compactMap(\.self)
    }.map {
      RatioEstimate.fewestRounds(confidence: Evidence(self, sharing: $0).confidence)
    }.max() ?? RatioEstimate.fewestRounds
  }

  /// Whether a real kernel was to be measured.
  fileprivate var measuresKernels: Bool { cells.contains { $0.kernel != nil } }
}

extension Evidence.Finding {
  /// Why its interval decides nothing: it is based on too few rounds, or hosts.
  fileprivate func lack(of unit: BenchRecord.Unit) -> String {
    let needed = unit.fewest(confidence: confidence)
    let measured = rounds == 1 ? "\(unit.name.one) was" : "\(unit.name.many) were"
    let advice =
      switch unit {
      case .rounds: "give --rounds \(needed), or more --time"
      case .hosts: "measure more hosts of the class"
      }
    return "only \(rounds) \(measured) measured, but "
      + "\(Decimal.text(confidence * 100, digits: confidence > 0.95 ? 2 : 0)) % confidence needs \(needed): \(advice)"
  }
}

extension String {
  /// The text with a capital letter at its start and a full stop at its end.
  var asSentence: String { capitalised + (hasSuffix(".") ? "" : ".") }

  /// The text with a capital letter at its start.
  package var capitalised: String { prefix(1).uppercased() + dropFirst() }
}
