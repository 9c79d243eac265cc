// A claim of 2018 as a value: its source, the conditions without which it cannot be judged, and the rule that decides
// it.
//
// The figures of 2018 are hypotheses. A rule turns a claim into a tolerance for a measured figure: the claim holds
// where the figure's whole interval lies inside, does not hold where it lies outside, and is not decided where it lies
// across the edge. Estimates made in a mail are taken to a factor of two. Each claim has a file of its own in the
// folder Claims.

/// A claim, and the rule by which a measurement decides it.
struct ClaimRule: Sendable {
  let source: Source
  /// The claim in a few words.
  let wording: String
  /// The conditions without which figures say nothing about the claim; the first that is missing is named first.
  let needs: [Need]
  /// Which figures still count as what was claimed, and why; without a full stop.
  let tolerance: String
  /// Whether the number of instructions on a path says something about the claim.
  ///
  /// It does where two paths through KVM are compared. It does not show the time of a trap, a write or a branch.
  var isAboutPaths = false
  /// How many comparisons share its error of 5 % (Bonferroni).
  var comparisons: @Sendable (BenchRecord) -> Int = { _ in 1 }
  /// Judges the figures.
  let judge: @Sendable (Evidence) throws(Evidence.Missing) -> Ruling
  /// The rule for a real kernel's figures as a second witness.
  ///
  /// Nil for a claim that is not about the work of kernels, and for one whose own rule uses those figures.
  var kernel: Kernel?

  /// The rule for the figures of a real kernel.
  struct Kernel: Sendable {
    /// As in the rule for small guests.
    var comparisons: @Sendable (BenchRecord) -> Int = { _ in 1 }
    let judge: @Sendable (Evidence) throws(Evidence.Missing) -> Ruling
  }

  /// Where a claim was made.
  struct Source: Hashable, Sendable {
    let author: String
    let date: String
    /// The message's identifier on the Linux kernel mailing list, or its subject.
    let message: String

    /// What C1 and C2 are taken from, as the answer quotes it.
    static let objection = Source(
      author: "Paolo Bonzini", date: "2018-02-16", message: "quoted in 1518783021.7876.34.camel@infradead.org")
    /// "x86/speculation: Support Enhanced IBRS on future CPUs", the answer that C3 to C8 are taken from.
    static let enhancedIBRS = Source(
      author: "David Woodhouse", date: "2018-02-16", message: "1518783021.7876.34.camel@infradead.org")
    /// The answer to version 3 of the same patch, which C9 is taken from.
    static let followUp = Source(
      author: "Paolo Bonzini", date: "2018-02-20", message: "[PATCH v3 2/4] x86/speculation: Support Enhanced IBRS")
  }
}

/// The result of a rule, before the claim's conditions are checked.
struct Ruling {
  /// `holds`, `doesNotHold` or `notDecided`.
  var outcome: BenchReport.Verdict.Outcome
  var findings: [Evidence.Finding]
  /// Without a full stop.
  var reason: String
  /// The reason by instruction counts, where most of the compared work is microcode; without a full stop.
  var ownCode: String?
}

extension BenchReport.Claim {
  /// The claim itself.
  var rule: ClaimRule {
    switch self {
    case .c1: .c1
    case .c2: .c2
    case .c3: .c3
    case .c4: .c4
    case .c5: .c5
    case .c6: .c6
    case .c7: .c7
    case .c8: .c8
    case .c9: .c9
    }
  }

  /// The claim in a few words.
  public var summary: String { rule.wording }

  /// Who made which of these claims: "C1, C2, C9 by Paolo Bonzini; C3 to C8 by David Woodhouse (LKML, 2018)".
  package static func authors(of claims: [Self]) -> String {
    let parts = claims.map(\.rule.source.author).uniqued.map { author in
      "\(list(claims.filter { $0.rule.source.author == author })) by \(author)"
    }
    let years = claims.map { String($0.rule.source.date.prefix(4)) }.uniqued
    return "\(parts.joined(separator: "; ")) (LKML, \(years.joined(separator: ", ")))"
  }

  /// Claims by their ids, three or more that follow each other as a range.
  private static func list(_ claims: [Self]) -> String {
    var runs: [[Int]] = []
    for place in claims.compactMap(allCases.firstIndex).sorted() {
      if let last = runs.last?.last, place == last + 1 {
        runs[runs.count - 1].append(place)
      } else {
        runs.append([place])
      }
    }
    return runs.flatMap { run in
      let ids = run.map { allCases[$0].rawValue }
      return ids.count < 3 ? ids : ["\(ids[0]) to \(ids[ids.count - 1])"]
    }.joined(separator: ", ")
  }

  /// Who made these claims, each source once: "David Woodhouse, 2018-02-16".
  package static func sources(of claims: [Self]) -> [String] {
    claims.map { claim in
      let source = claim.rule.source
      return "\(source.author), LKML, \(source.date) (\(source.message))"
    }.uniqued
  }
}
