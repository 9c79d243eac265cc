// The report of a move as a person reads it, and as JSON.

public import Experiments
import Measurement
import Migration

extension MoveReport {
  /// The report as a document.
  public var document: Document {
    var table = Table(right: [1, 2, 3])
    table.add("Round", "pages sent", "ms", "written meanwhile")
    for (index, round) in rounds.enumerated() {
      table.add("\(index + 1)", "\(round.pages)", round.duration.inMilliseconds, "\(round.dirtied)")
    }
    table.add("stopped", "\(lastPages)", downTime.inMilliseconds, "")
    let sentence =
      "The guest runs at \(destination.plain). It was stopped for \(downTime.inMilliseconds) ms, "
      + "\(expectedDownTime.inMilliseconds) ms of which were expected for its last "
      + (lastPages == 1 ? "page." : "\(lastPages) pages.")
      + (bytesPerSecond.map { " Its memory was sent at \(Decimal.text($0 / 1_048_576, upTo: 1)) MiB/s." } ?? "")
    return Document([
      .init(warnings.map { .paragraph(.init($0.plain, label: "WARNING  ")) } + [.table(table)]),
      .init([.paragraph(.init(sentence))]),
    ])
  }
}

/// The JSON of `migrate`.
public struct MoveJSON: Encodable, Sendable {
  struct Round: Encodable {
    let pages: Int
    let milliseconds: Double
    let dirtied: Int
  }

  let schemaVersion = 1
  let kind = "migration"
  let destination: String
  let warnings: [String]
  let rounds: [Round]
  let expectedDownTimeMilliseconds: Double
  let lastPages: Int
  let downTimeMilliseconds: Double
  @Nullable private(set) var bytesPerSecond: Double?

  /// The JSON of a report.
  public init(_ report: MoveReport) {
    destination = report.destination
    warnings = report.warnings
    rounds = report.rounds.map {
      Round(pages: $0.pages, milliseconds: $0.duration.milliseconds, dirtied: $0.dirtied)
    }
    expectedDownTimeMilliseconds = report.expectedDownTime.milliseconds
    lastPages = report.lastPages
    downTimeMilliseconds = report.downTime.milliseconds
    bytesPerSecond = report.bytesPerSecond
  }
}

extension Duration {
  fileprivate var milliseconds: Double { self / .milliseconds(1) }
  fileprivate var inMilliseconds: String { Decimal.text(milliseconds, upTo: 3) }
}
