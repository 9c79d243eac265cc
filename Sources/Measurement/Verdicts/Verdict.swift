// From the claims to the verdicts: what all rules have in common.

extension BenchReport.Verdict {
  /// The verdict on a claim from what was measured, and what the clock's figures are doubted for.
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
    let own = Judgement(lacks, record, sharing: rule.comparisons(record), rule.judge)
    // What lacks is said once.
    let kernel = rule.kernel.flatMap { kernel in
      record.measuresKernels
        ? Judgement(lacks, record, sharing: kernel.comparisons(record), tellsLacks: false, kernel.judge) : nil
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

/// What a rule makes of one kind of guest.
private struct Judgement {
  let outcome: BenchReport.Verdict.Outcome
  /// What the figures say, whatever the claim lacks here; nil where there are none.
  let byFigures: BenchReport.Verdict.Outcome?
  let figures: [BenchReport.Figure]
  let reason: String
}

extension Judgement {
  fileprivate init(
    _ lacks: [Need.Lack], _ record: BenchRecord, sharing comparisons: Int, tellsLacks: Bool = true,
    _ judge: (Evidence) throws(Evidence.Missing) -> Ruling
  ) {
    do throws(Evidence.Missing) {
      self = Self(try judge(Evidence(record, sharing: comparisons)), lacks, record, tellsLacks)
    } catch {
      let reasons = (tellsLacks ? lacks.map(\.reason) : []) + [error.reason]
      self = Self(
        outcome: lacks.outcome ?? error.outcome, byFigures: nil, figures: error.figures,
        reason: reasons.joined(separator: "; ").asSentence)
    }
  }

  private init(_ ruling: Ruling, _ lacks: [Need.Lack], _ record: BenchRecord, _ tellsLacks: Bool) {
    let shaky = record.environment.isExact ? nil : ruling.findings.first { !$0.standsOnEnoughRounds }
    var (outcome, reason) = (ruling.outcome, ruling.reason)
    if let lack = lacks.outcome {
      // What the rule makes of the figures is worth knowing where nothing lacks but time.
      let byPathLengths = lacks.allSatisfy { $0.need == .clockOfTime }
      outcome = lack
      let told = byPathLengths ? "by path lengths it \(ruling.outcome.text): \(reason)" : "here \(reason)"
      reason = ((tellsLacks ? lacks.map(\.reason) : []) + [told]).joined(separator: "; ")
    } else if let shaky {
      (outcome, reason) = (.notEnoughRounds, shaky.lackOfRounds)
    } else if record.host.isSoftwareKVM, outcome == .holds || outcome == .doesNotHold {
      (outcome, reason) = (
        .notDecided,
        "the claim is about VMX and SVM, and \(record.host.module) has neither; here it \(ruling.outcome.text): \(reason)"
      )
    }
    if tellsLacks, let caveat = record.host.caveat { reason += "; measured \(caveat)" }
    self = Self(
      outcome: outcome, byFigures: shaky == nil ? ruling.outcome : nil, figures: ruling.findings.map(\.figure),
      reason: reason.asSentence)
  }
}

extension BenchReport.Verdict.Outcome {
  /// The outcome as a person says it.
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

  /// What is to be known about a host whose exits are not those of VMX or SVM on bare metal; nil where they are.
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
  /// Why its interval decides nothing: it stands on too few rounds.
  fileprivate var lackOfRounds: String {
    let needed = RatioEstimate.fewestRounds(confidence: confidence)
    return "only \(rounds) \(rounds == 1 ? "round was" : "rounds were") measured, and "
      + "\(Decimal.text(confidence * 100, digits: confidence > 0.95 ? 2 : 0)) % confidence needs \(needed): give --rounds "
      + "\(needed), or more --time"
  }
}

extension String {
  /// The text with a capital letter at its start and a full stop at its end.
  var asSentence: String { capitalised + (hasSuffix(".") ? "" : ".") }

  /// The text with a capital letter at its start.
  package var capitalised: String { prefix(1).uppercased() + dropFirst() }
}
