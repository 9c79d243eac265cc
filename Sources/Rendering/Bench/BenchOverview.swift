// Several benchmarks side by side: what to use on each host, what each policy costs there, and the verdicts.

public import Measurement
import Registers

/// Several benchmarks, with a column for each.
public struct BenchOverview {
  private let results: [(name: String, report: BenchReport)]

  /// These benchmarks, each with its name.
  public init(_ results: [(name: String, report: BenchReport)]) { self.results = results }

  /// The tables.
  public var document: Document {
    Document([
      Document.Section("The hosts and what to use there", [.table(hosts)]),
      Document.Section(
        .init("What each policy costs", note: "Per kernel entry; x is the factor over a bare entry."), [.table(costs)]),
      Document.Section("The claims of 2018", [.table(claims)]),
    ])
  }

  /// A table with a column for each result.
  private func table(_ name: String, _ rows: [(name: String, cell: (BenchReport) -> String)]) -> Table {
    var table = Table()
    table.add([name] + results.map(\.name))
    for row in rows { table.add([row.name] + results.map { row.cell($0.report) }) }
    return table
  }

  private var hosts: Table {
    func recommended(_ situation: Recommendation.Situation) -> (BenchReport) -> String {
      { report in
        report.recommendations?.first { $0.situation == situation }.map { "\($0.choice); \($0.reason)" } ?? "-"
      }
    }
    return table(
      "",
      [
        ("host", { $0.host.summary }),
        ("the clock counts", { $0.unit }),
        ("measured", { "\($0.cells.map(\.rounds.count).max() ?? 0) rounds\($0.partial ? "; PARTIAL" : "")" }),
        ("warnings", { "\($0.warnings.count)" }),
        ("guests told IBRS_ALL", recommended(.toldIBRSAll)),
        ("guests not told it", recommended(.notToldIBRSAll)),
      ])
  }

  private var costs: Table {
    let measured = results.flatMap(\.report.policyCosts).map(\.policy).uniqued
    let policies =
      PolicyName.allCases.map(Known.known).filter(measured.contains) + measured.filter { $0.value == nil }
    let guests: [(name: String, cell: KeyPath<PolicyCost, CellRecord?>)] = [
      ("writes IBRS at entry and exit", \.writer), ("never writes", \.quiet), ("never writes, exits once", \.exiting),
    ]
    return table(
      "the guest",
      guests.flatMap { guest in
        policies.map { policy in
          (
            "\(guest.name), under \(policy)",
            { report in
              let cost = report.policyCosts.first { $0.policy == policy }
              return cost?[keyPath: guest.cell].flatMap { report.cell($0.id) }.map { text(of: $0, in: report) } ?? "-"
            }
          )
        }
      })
  }

  /// A cell's cost, and its ratio to the baseline's.
  private func text(of cell: BenchReport.Cell, in report: BenchReport) -> String {
    let ratio = report.comparison(of: cell).map { " (\(Decimal.ratio($0.ratio)) x)" } ?? ""
    return "\(Decimal.cost(cell.summary?.median)) \(report.unit)\(ratio)"
  }

  private var claims: Table {
    let claims = results.flatMap { $0.report.verdicts.map(\.claim) }.uniqued
    return table(
      "claim",
      claims.map { claim in
        (
          "\(claim.rawValue): \(claim.summary)",
          { report in report.verdicts.first { $0.claim == claim }?.outcome.shortText ?? "-" }
        )
      })
  }
}
