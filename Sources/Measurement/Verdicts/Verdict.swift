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
    do throws(Evidence.Missing) {
      let ruling = try rule.judge(Evidence(record, sharing: rule.comparisons(record)))
      self.init(claim, ruling, lacks, record)
    } catch {
      let reasons = lacks.map(\.reason) + [error.reason]
      self.init(
        claim: claim, outcome: lacks.outcome ?? error.outcome, figures: error.figures,
        reason: reasons.joined(separator: "; ").asSentence)
    }
  }

  private init(_ claim: BenchReport.Claim, _ ruling: Ruling, _ lacks: [Need.Lack], _ record: BenchRecord) {
    let shaky = record.environment.isExact ? nil : ruling.findings.first { !$0.standsOnEnoughRounds }
    var (outcome, reason) = (ruling.outcome, ruling.reason)
    if let lack = lacks.outcome {
      // What the rule makes of the figures is worth knowing where nothing lacks but time.
      let byPathLengths = lacks.allSatisfy { $0.need == .clockOfTime }
      outcome = lack
      reason =
        lacks.map(\.reason).joined(separator: "; ")
        + (byPathLengths ? "; by path lengths it \(ruling.outcome.text): \(reason)" : "; here \(reason)")
    } else if let shaky {
      (outcome, reason) = (.notEnoughRounds, shaky.lackOfRounds)
    } else if record.host.isSoftwareKVM, outcome == .holds || outcome == .doesNotHold {
      (outcome, reason) = (
        .notDecided,
        "the claim is about VMX and SVM, and \(record.host.module) has neither; here it \(ruling.outcome.text): \(reason)"
      )
    }
    if let caveat = record.host.caveat { reason += "; measured \(caveat)" }
    self.init(claim: claim, outcome: outcome, figures: ruling.findings.map(\.figure), reason: reason.asSentence)
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
    BenchReport.Claim.allCases.map {
      RatioEstimate.fewestRounds(confidence: Evidence(self, sharing: $0.rule.comparisons(self)).confidence)
    }.max() ?? RatioEstimate.fewestRounds
  }
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
