// What a fleet needs of a host's result. Thousands are read, so only this is decoded of each: what the cells are about
// is the same on all hosts of a class, and their samples are not put together.

/// A host's result without its samples, and without what its cells are about.
public struct HostFigures: Decodable, Sendable {
  public let identity: ResultIdentity?
  let partial: Bool
  let host: HostReport
  let msr: BenchReport.Subject
  let environment: BenchEnvironment
  let clock: BenchReport.Clock
  let cells: [Cell]
  let verdicts: [Verdict]

  struct Cell: Decodable, Sendable {
    let id: String
    let status: CellRecord.Status
    let summary: Summary?

    /// The median of its samples; nil where it was not measured.
    var median: Double? { status == .measured ? summary?.median : nil }
  }

  struct Summary: Decodable, Sendable {
    let median: Double
    let medianInterval95: Interval?
  }

  struct Verdict: Decodable, Sendable {
    let claim: BenchReport.Claim
    let outcome: BenchReport.Verdict.Outcome
  }

  /// The figures of a whole result.
  public init(_ report: BenchReport) {
    identity = report.identity
    partial = report.partial
    host = report.host
    msr = report.msr
    environment = report.environment
    clock = report.clock
    cells = report.cells.map { cell in
      Cell(
        id: cell.id, status: cell.status,
        summary: cell.summary.map { Summary(median: $0.median, medianInterval95: $0.medianInterval95) })
    }
    verdicts = report.verdicts.map { Verdict(claim: $0.claim, outcome: $0.outcome) }
  }
}
