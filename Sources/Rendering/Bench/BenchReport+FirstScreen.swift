// The first screen of a benchmark: what each policy costs, which to use, and the verdicts on the claims. It fits a
// terminal of 24 lines and 80 columns; everything else is in the whole report.

public import Measurement
import Registers

extension BenchReport {
  /// The width of the first screen, in columns.
  public static let firstScreenWidth = 80

  /// The height of the first screen, in lines.
  public static let firstScreenHeight = 24

  /// The figures and verdicts that a person needs to choose a policy.
  ///
  /// It shows as many warnings as there is room for, and counts the others.
  public var firstScreen: Document {
    for shown in stride(from: warnings.count, to: 0, by: -1) {
      let screen = conclusions(showing: shown, closing: closing(hidden: warnings.count - shown))
      let lines = screen.text(width: Self.firstScreenWidth).split(separator: "\n", omittingEmptySubsequences: false)
      if lines.count - 1 <= Self.firstScreenHeight { return screen }
    }
    return conclusions(showing: 0, closing: closing(hidden: warnings.count))
  }

  /// The conclusions with every warning, for a page on which the rest follows.
  package var conclusions: Document { conclusions(showing: warnings.count, closing: caveats) }

  /// The first screen with this many of the warnings.
  private func conclusions(showing shown: Int, closing: [String]) -> Document {
    var blocks: [Document.Block] = [.paragraph(Document.Paragraph(host.summary + (partial ? "; PARTIAL" : "")))]
    blocks += warnings.prefix(shown).map { .paragraph(Document.Paragraph($0 + ".", label: "WARNING: ", indent: 2)) }
    if !policyCosts.isEmpty { blocks.append(.table(whoPays)) }
    blocks += (recommendations ?? []).map { .paragraph($0.paragraph) }
    blocks.append(.paragraph(Document.Paragraph(Claim.authors(of: verdicts.map(\.claim)) + ":")))
    blocks.append(.table(claimLines))
    if !closing.isEmpty { blocks.append(.paragraph(Document.Paragraph(closing.joined(separator: " ")))) }
    return Document([Document.Section(blocks)])
  }

  /// The cost of each policy for the guest that writes, for the one that does not, and for the host.
  private var whoPays: Table {
    var table = Table(right: [1, 2, 3, 4])
    table.add(
      "\(unit)/\(entryOfCosts?.text ?? "entry")", "writes IBRS", "x bare", "never writes", "exits once", "host handles")
    func cost(_ cell: CellRecord?) -> String {
      cell.flatMap { self.cell($0.id) }.flatMap(\.summary).map { Decimal.cost($0.median) } ?? "-"
    }
    for policy in policyCosts {
      let ratio = policy.writer.flatMap { self.cell($0.id) }.flatMap(comparison).map { Decimal.ratio($0.ratio) }
      table.add(
        policy.writer?.policyText ?? policy.policy.text, cost(policy.writer), ratio ?? "-", cost(policy.quiet),
        cost(policy.exiting),
        policy.writer.map(\.whereItsExitsEnd) ?? "-")
    }
    return table
  }

  /// The claims, a line each.
  private var claimLines: Table {
    var table = Table(hasHead: false)
    for verdict in verdicts {
      table.add(verdict.outcome.shortText.uppercased(), verdict.claim.rawValue, verdict.claim.summary)
    }
    return table
  }

  /// What a reader must know before using the figures.
  private var caveats: [String] {
    [environment.isExact ? "Path lengths, not time." : nil, absenceSummary].compactMap(\.self)
  }

  /// The caveats, the number of warnings that are not shown, and the option that shows everything.
  private func closing(hidden: Int) -> [String] {
    let more = hidden < warnings.count ? " more" : ""
    return caveats + (hidden > 0 ? ["\(hidden)\(more) \(hidden == 1 ? "warning" : "warnings")."] : [])
      + ["More: --verbose."]
  }
}

extension Recommendation {
  /// The recommendation as a sentence or two.
  var paragraph: Document.Paragraph {
    let label =
      switch situation {
      case .toldIBRSAll: "Guests told IBRS_ALL: "
      case .notToldIBRSAll: "Guests not told it: "
      }
    return Document.Paragraph("\(choice); \(reason).", label: label, indent: 2)
  }

  /// The recommended policy, without the reason.
  var choice: String {
    policy.map { "use \($0.text) (protects: \(protection?.value?.summary ?? protection?.text ?? "?"))" } ?? "none"
  }
}

extension CellRecord {
  /// How many exits of one kernel entry the host has to handle, and where.
  fileprivate var whereItsExitsEnd: String {
    func exits(_ count: Double, _ place: Place) -> String {
      "\(Decimal.count(count)) \(place.rawValue) \(abs(count - 1) < 0.0005 ? "exit" : "exits")"
    }
    guard let vmm = vmmExitsPerEntry else { return "?" }
    // Half an exit distinguishes one from none, even if the count is disturbed.
    if vmm > 0.5 { return exits(vmm, .vmm) }
    guard let kvm = kvmExitsPerEntry else { return "?" }
    return place == .kvm && kvm > 0.5 ? exits(kvm, .kvm) : "nothing"
  }
}

extension BenchReport.Verdict.Outcome {
  /// The outcome in one of four short forms.
  var shortText: String {
    switch self {
    case .holds, .doesNotHold: text
    case .cannotBeTested: "not possible here"
    case .notMeasured, .notEnoughRounds, .notDecided: "not decided"
    }
  }
}
