// Many hosts as a person reads them: who was measured, the classes and what to use there, then each class.

public import Measurement
import Registers

extension FleetReport {
  /// The report as a document; if `verbose`, with every cell of each class.
  public func document(verbose: Bool) -> Document {
    Document(
      title: "spectrap fleet merge",
      overview + classes.flatMap { $0.sections(verbose: verbose) } + [poolSection].compactMap(\.self))
  }

  /// The hosts that were not measured, in sentences.
  public var absences: [String] {
    absent.map { host in
      let status = host.exitStatus.map { ", status \($0)" } ?? ""
      return "\(host.host): \(host.fate.text)\(status)\(host.reason.map { ": \($0)" } ?? "")"
    }
  }

  /// Who was measured, in a sentence: "187 of 200 hosts measured; 9 unavailable, 4 missing".
  public var attendance: String {
    let counts = Absent.Fate.allCases.compactMap { fate -> String? in
      let count = absent.count { $0.fate == fate }
      return count == 0 ? nil : "\(count) \(fate.text)"
    }
    let hosts = "\(measured) of \(counted(asked, "host")) measured"
    return ([hosts] + (counts.isEmpty ? [] : [counts.joined(separator: ", ")])).joined(separator: "; ")
  }

  /// Who was measured, the classes, and what to use there.
  package var overview: [Document.Section] {
    let count = classes.count
    var blocks: [Document.Block] = [
      .paragraph(.init("\(attendance); \(count) \(count == 1 ? "class" : "classes").")), .table(choices),
    ]
    if let facts = differences { blocks.append(.table(facts)) }
    var sections = [Document.Section(blocks)]
    if !absent.isEmpty { sections.append(.init("Not measured", [.list(absences)])) }
    if !superseded.isEmpty {
      sections.append(
        .init("Not used, because there is a later result of the same host", [.list(superseded)]))
    }
    return sections
  }

  /// Each class and what to use there.
  private var choices: Table {
    var table = Table(right: [1])
    table.add("class", "hosts", "processor, KVM, kernel", "guests told IBRS_ALL", "guests not told it", "stand apart")
    for group in classes {
      func choice(_ situation: Recommendation.Situation) -> String {
        group.report.recommendations?.first { $0.situation == situation }?.policy?.text ?? "none"
      }
      let outliers = Set(group.outliers.map(\.host)).count
      table.add(
        group.name, "\(group.hosts.count)", group.report.host.summary, choice(.toldIBRSAll), choice(.notToldIBRSAll),
        outliers == 0 ? "-" : counted(outliers, "host"))
    }
    return table
  }

  /// The facts in which the classes differ; nil for one class.
  private var differences: Table? {
    let facts = classBy.filter { fact in Set(classes.map { $0.facts[fact.rawValue] ?? "?" }).count > 1 }
    guard !facts.isEmpty else { return nil }
    var table = Table()
    table.add(["they differ in"] + classes.map(\.name))
    for fact in facts { table.add([fact.rawValue] + classes.map { $0.facts[fact.rawValue] ?? "?" }) }
    return table
  }

  private var poolSection: Document.Section? {
    guard classes.count > 1 else { return nil }
    func list(_ names: [String]) -> String { names.isEmpty ? "nothing" : names.joined(separator: ", ") }
    let costs = classes.compactMap { group in
      pool.costs[group.name].map { Document.Fact("class \(group.name) costs", list($0)) }
    }
    let unknown =
      pool.unknown.isEmpty ? [] : [Document.Fact("not known of", "class \(pool.unknown.joined(separator: ", "))")]
    return .init(
      "A guest that may run on all of them",
      [
        .facts([Document.Fact("may be told", list(pool.told))] + costs + unknown),
        .paragraph(
          "For all else that such a guest may be told, CPUID included: spectrap contract, with files of probe --json."),
      ])
  }
}

extension FleetReport.Absent.Fate {
  /// The fate in a word or two.
  var text: String {
    switch self {
    case .partial: "partial"
    case .unavailable: "unavailable"
    case .timedOut: "timed out"
    case .failed: "failed"
    case .unreadable: "unreadable"
    case .doubted: "with a clock that cannot be believed"
    case .missing: "missing"
    }
  }
}

extension FleetClass {
  /// The class: its figures, the claims, the spread, and the hosts that stand apart.
  package func sections(verbose: Bool) -> [Document.Section] {
    var blocks: [Document.Block] = report.warnings.map { .paragraph(.init("\($0).", label: "WARNING: ", indent: 2)) }
    if !costs.rows.isEmpty { blocks.append(.table(costs)) }
    blocks += (report.recommendations ?? []).map { .paragraph($0.paragraph) }
    blocks.append(.table(claims))
    var sections = [
      Document.Section(.init("Class \(name): \(report.host.summary)", remark: ", \(size)", note: size), blocks)
    ]
    if !outliers.isEmpty {
      sections.append(
        .init(
          .init("Measure again in class \(name)"),
          [.table(distances), .command("spectrap bench --rounds 20 --json HOST.json")]))
    }
    if verbose, !spreads.isEmpty { sections.append(.init(.init("Cells of class \(name)"), [.table(cells)])) }
    return sections
  }

  private var size: String { counted(hosts.count, "host") }

  /// The cost of each policy, over hosts.
  private var costs: Table {
    var table = Table(right: [1, 2, 3, 4])
    table.add(
      "\(report.unit)/\(report.entryOfCosts?.text ?? "entry")", "writes IBRS", "x bare", "never writes", "exits once")
    for policy in report.policyCosts {
      func cost(_ cell: CellRecord?) -> String {
        guard let summary = cell.flatMap({ report.cell($0.id) })?.summary else { return "-" }
        let interval = summary.medianInterval95 ?? Interval(summary.minimum, summary.maximum)
        return "\(Decimal.cost(summary.median)) (\(Decimal.costInterval(interval)))"
      }
      let ratio = policy.writer.flatMap { report.cell($0.id) }.flatMap(report.comparison).map {
        "\(Decimal.ratio($0.ratio)) (\(Decimal.ratio($0.interval.lower)) to \(Decimal.ratio($0.interval.upper)))"
      }
      table.add(policy.policy.text, cost(policy.writer), ratio ?? "-", cost(policy.quiet), cost(policy.exiting))
    }
    return table
  }

  /// The verdicts by the class's figures, and the number of hosts with each verdict.
  private var claims: Table {
    var table = Table(hasHead: false)
    for verdict in report.verdicts {
      let vote = votes.first { $0.claim == verdict.claim }
      let counts = BenchReport.Verdict.Outcome.allCases.compactMap { outcome in
        vote?.hosts[outcome.rawValue].map { "\($0) \(outcome.text)" }
      }
      let dispute = vote?.isDisputed == true ? "; THEY DISAGREE" : ""
      table.add(
        verdict.outcome.shortText.uppercased(), verdict.claim.rawValue,
        "\(verdict.claim.summary) (hosts: \(counts.joined(separator: ", "))\(dispute))")
    }
    return table
  }

  private var distances: Table {
    var table = Table(right: [2, 3, 4, 5])
    table.add("host", "in", report.unit, "its class", "apart", "spreads")
    for outlier in outliers {
      table.add(
        outlier.host, outlier.cell, Decimal.cost(outlier.median), Decimal.cost(outlier.classMedian),
        Decimal.percent(outlier.share), outlier.spreads > 1e6 ? "-" : Decimal.text(outlier.spreads, digits: 1))
    }
    return table
  }

  private var cells: Table {
    var table = Table(right: [1, 2, 3, 4, 5])
    table.add("cell", "hosts", report.unit, "range over hosts", "between hosts", "own width")
    for spread in spreads {
      table.add(
        spread.cell, "\(spread.hosts)", Decimal.cost(report.cell(spread.cell)?.summary?.median),
        Decimal.costInterval(spread.range), spread.betweenHosts.map(Decimal.percent) ?? "?",
        spread.ownWidth.map(Decimal.percent) ?? "?")
    }
    return table
  }
}

extension ReportPage {
  /// The page about a fleet.
  public init(_ fleet: FleetReport) {
    self.init(
      title: "Spectrap: \(fleet.attendance)", maker: "spectrap fleet merge",
      parts: [("The fleet", Document(fleet.overview))]
        + fleet.classes.map { ("Class \($0.name)", Document($0.sections(verbose: true))) })
  }
}
