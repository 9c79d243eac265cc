// The first screen of a benchmark: what each policy costs whom, which to use, and what became of the claims. It fits a
// terminal of 24 lines and 80 columns; everything else is in the whole report.

public import Measurement
import Registers

extension BenchReport {
  /// The width of the first screen, in columns.
  public static let firstScreenWidth = 80

  /// What a person needs to choose a policy.
  public var firstScreen: Document {
    var head: [Document.Block] = [.paragraph(Document.Paragraph(host.summary + (partial ? "; PARTIAL" : "")))]
    if !policyCosts.isEmpty { head.append(.table(whoPays)) }
    head += (recommendations ?? []).map { .paragraph($0.paragraph) }
    head.append(.paragraph(Document.Paragraph(Claim.authors(of: verdicts.map(\.claim)) + ":")))
    head.append(.table(claimLines))
    head.append(.paragraph(Document.Paragraph(caveats + "All figures: --verbose or --json FILE.")))
    return Document([Document.Section(head)])
  }

  /// What each policy costs the guest that writes, the one that does not, and the host.
  private var whoPays: Table {
    var table = Table(right: [1, 2, 3, 4])
    table.add(unit, "IBRS at each", "", "never", "never; one", "exits that")
    table.add(
      "per \(entryOfCosts?.text ?? "entry")", "entry and exit", "x bare", "written", "exit each", "the host ends")
    func cost(_ cell: CellRecord?) -> String {
      cell.flatMap { self.cell($0.id) }.flatMap(\.summary).map { Decimal.cost($0.median) } ?? "-"
    }
    for policy in policyCosts {
      let ratio = policy.writer.flatMap { self.cell($0.id) }.flatMap(comparison).map { Decimal.ratio($0.ratio) }
      table.add(
        policy.policy.text, cost(policy.writer), ratio ?? "-", cost(policy.quiet), cost(policy.exiting),
        policy.writer.map(\.whereItsExitsEnd) ?? "-")
    }
    return table
  }

  /// The claims, a line each.
  private var claimLines: Table {
    var table = Table()
    for verdict in verdicts {
      table.add(verdict.outcome.shortText.uppercased(), verdict.claim.rawValue, verdict.claim.summary)
    }
    return table
  }

  /// What is to be known before the figures are used.
  private var caveats: String {
    let clock = environment.isExact ? "Path lengths, not time. " : ""
    return clock + (warnings.isEmpty ? "" : "\(warnings.count) \(warnings.count == 1 ? "warning" : "warnings"). ")
  }
}

extension Recommendation {
  /// The recommendation as a sentence or two.
  fileprivate var paragraph: Document.Paragraph {
    let label =
      switch situation {
      case .toldIBRSAll: "Guests told IBRS_ALL: "
      case .notToldIBRSAll: "Guests not told it: "
      }
    let choice =
      policy.map { "use \($0.text) (protects: \(protection?.value?.summary ?? protection?.text ?? "?")); " }
      ?? "none; "
    return Document.Paragraph(choice + reason + ".", label: label, indent: 2)
  }
}

extension CellRecord {
  /// How many exits of one kernel entry end where.
  fileprivate var whereItsExitsEnd: String {
    guard let vmm = vmmExitsPerEntry else { return "?" }
    // Half an exit tells one from none, whatever disturbs the count.
    if vmm > 0.5 { return "\(Decimal.count(vmm)) in the VMM" }
    guard let kvm = kvmExitsPerEntry else { return "?" }
    return place == .kvm && kvm > 0.5 ? "\(Decimal.count(kvm)) in KVM" : "none"
  }
}

extension BenchReport.Verdict.Outcome {
  /// The outcome in one of four words: what would have to be measured further is not decided.
  fileprivate var shortText: String {
    switch self {
    case .holds, .doesNotHold: text
    case .cannotBeTested: "not possible here"
    case .notMeasured, .notEnoughRounds, .notDecided: "not decided"
    }
  }
}
