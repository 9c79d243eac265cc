// The claims' verdicts: each claim has a rule in a file of its own; this one says what all rules have in common.
//
// The figures of 2018 are hypotheses. A rule turns a claim into a tolerance for a measured figure: the claim holds where the
// figure's whole interval lies inside, does not hold where it lies outside, and cannot be decided where it lies across the
// edge. Estimates made in a mail are taken to a factor of two.

extension BenchReport.Verdict {
  /// What a rule finds before the circumstances are looked at.
  struct Ruling {
    var outcome: Outcome
    var findings: [Evidence.Finding]
    /// Without a full stop.
    var reason: String
  }

  /// The verdict on a claim from what was measured.
  public init(on claim: BenchReport.Claim, from report: BenchReport) {
    let evidence = Evidence(report: report)
    guard report.msr.isSpecCtrl || !claim.isAboutPolicies else {
      self.init(
        claim: claim, outcome: .cannotBeTested, figures: [],
        reason: "This benchmark is about \(report.msr.name), the claim about IA32_SPEC_CTRL.")
      return
    }
    do throws(Evidence.Missing) {
      let ruling =
        switch claim {
        case .c1: try Self.ruleC1(evidence)
        case .c2: try Self.ruleC2(evidence)
        case .c3: try Self.ruleC3(evidence)
        case .c4: try Self.ruleC4(evidence)
        case .c5: try Self.ruleC5(evidence)
        case .c6: try Self.ruleC6(evidence)
        case .c7: try Self.ruleC7(evidence)
        case .c8: try Self.ruleC8(evidence)
        }
      self.init(claim, ruling, report)
    } catch {
      self.init(
        claim: claim, outcome: .cannotBeTested, figures: error.figures, reason: error.reason.asSentence)
    }
  }

  private init(_ claim: BenchReport.Claim, _ ruling: Ruling, _ report: BenchReport) {
    var outcome = ruling.outcome
    var reason = ruling.reason
    if let lacking = ruling.findings.first(where: { !$0.standsOnEnoughRounds }) {
      outcome = .cannotBeTested
      reason = lacking.lackOfRounds
    } else if report.environment.countsInstructions == true {
      reason =
        "this host's clock counts instructions, not cycles; by path lengths it \(outcome.words): \(reason)"
      outcome = .cannotBeTested
    }
    if let caveat = report.caveat { reason += "; measured \(caveat)" }
    self.init(claim: claim, outcome: outcome, figures: ruling.findings.map(\.figure), reason: reason.asSentence)
  }
}

extension BenchReport.Claim {
  /// Whether it is about what is done with writes of IA32_SPEC_CTRL.
  ///
  /// C1 is about an exit and a system call, whatever the MSR; C2 is decided on the stand-in MSR, whose writes KVM ends.
  fileprivate var isAboutPolicies: Bool { self != .c1 && self != .c2 }
}

extension BenchReport {
  /// What is to be known about a host whose exits are not those of VMX or SVM on bare metal; nil where they are.
  var caveat: String? {
    let virtualisation: String? =
      switch host.module {
      case "kvm_intel", "kvm_amd": nil
      case "kvm_pvm": "under software virtualisation (kvm_pvm), whose exits are not those of VMX or SVM"
      default: "under \(host.module), whose exits may not be those of VMX or SVM"
      }
    let nested = host.isVirtualised ? "inside a virtual machine\(host.hypervisor.map { " (\($0))" } ?? "")" : nil
    let parts = [virtualisation, nested].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}

extension String {
  /// The text with a capital letter at its start and a full stop at its end.
  var asSentence: String { capitalised + (hasSuffix(".") ? "" : ".") }

  /// The text with a capital letter at its start.
  var capitalised: String { prefix(1).uppercased() + dropFirst() }
}

extension Evidence.Finding {
  /// Why its interval decides nothing: it stands on too few rounds.
  fileprivate var lackOfRounds: String {
    "only \(rounds) \(rounds == 1 ? "round was" : "rounds were") measured, fewer rounds than this confidence needs: "
      + "\(RatioEstimate.fewestRounds(confidence: confidence)) for "
      + "\(Decimal.text(confidence * 100, digits: confidence > 0.95 ? 2 : 0)) %"
  }
}

extension [Evidence.Finding] {
  /// The outcome when each of these figures has to lie inside the tolerance.
  func outcome(in tolerance: ClosedRange<Double>) -> BenchReport.Verdict.Outcome {
    let positions = map { $0.position(in: tolerance) }
    if positions.contains(.outside) { return .doesNotHold }
    return positions.contains(.across) ? .cannotBeTested : .holds
  }
}

extension BenchReport.Cell {
  /// How many indirect branches its user mode makes before each entry.
  var branches: Int { userBranches ?? 0 }

  /// Whether this is a guest alone that writes SPEC_CTRL or its stand-in this often and exits this often.
  func isWriter(writes: Int = 2, exits: Int = 0) -> Bool {
    workload == "ibrs" && entry != "none" && neighbour == nil && writesPerEntry == writes && exitsPerEntry == exits
      && branches == 0
  }

  /// Whether it writes SPEC_CTRL itself.
  var writesSpecCtrl: Bool { msr == nil || msr == BenchReport.Subject.specCtrl.index }

  /// Whether it writes IA32_TSC_ADJUST, which stands in for SPEC_CTRL where KVM is to end the write.
  var writesStandIn: Bool { msr == "0x3b" }
}
