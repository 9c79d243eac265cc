// A cell of a report: its record and its statistics.

extension BenchReport {
  /// A cell's record and its statistics.
  @dynamicMemberLookup
  public struct Cell: Equatable, Sendable {
    /// The record; in JSON, its keys are at the same level as the others.
    public let record: CellRecord
    /// How many samples at the start of each round are warm-up by the rule of `WarmUp`.
    public let warmUp: [Int]
    /// Order statistics over all samples that are not warm-up; nil where there are none.
    public let summary: Distribution?

    public typealias Neighbour = CellRecord.Neighbour
    public typealias Place = CellRecord.Place
    public typealias Status = CellRecord.Status
    public typealias BaselineUse = CellRecord.BaselineUse
    public typealias Disturbance = CellRecord.Disturbance

    /// A part of the record.
    public subscript<Value>(dynamicMember part: KeyPath<CellRecord, Value>) -> Value { record[keyPath: part] }
  }
}

extension BenchReport.Cell {
  /// The cell of a record; the seed draws the interval of its median.
  init(_ record: CellRecord, seed: UInt64, isExact: Bool, unit: BenchRecord.Unit) {
    guard unit == .rounds else {
      // A host's median is no sample, and the first host is no warm-up.
      let medians = record.isMeasured ? Distribution(record.rounds.compactMap(\.first)) : nil
      self.init(record: record, warmUp: record.rounds.map { _ in 0 }, summary: medians)
      return
    }
    let summary =
      record.isMeasured
      ? Distribution(
        rounds: record.settledRounds, isExact: isExact, generator: SeededGenerator(seed: seed, stream: record.id)) : nil
    self.init(record: record, warmUp: WarmUp.lengths(record.rounds), summary: summary)
  }

  /// Whether it was measured and has samples.
  public var isMeasured: Bool { record.status == .measured && summary != nil }

  /// The rounds without their warm-up.
  package var settledRounds: [[Double]] { record.rounds.enumerated().map { Array($1.dropFirst(warmUpLength(of: $0))) } }

  /// How many samples at the start of a round are warm-up; safe for results from files.
  package func warmUpLength(of round: Int) -> Int {
    round < warmUp.count ? min(max(warmUp[round], 0), record.rounds[round].count) : 0
  }

  /// How many samples are warm-up.
  package var warmUpCount: Int { record.rounds.indices.reduce(0) { $0 + warmUpLength(of: $1) } }
}

extension BenchReport.Cell: Codable {
  private enum Key: String, CodingKey { case warmUp, summary }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      record: try CellRecord(from: decoder), warmUp: try container.decode([Int].self, forKey: .warmUp),
      summary: try container.decodeIfPresent(Distribution.self, forKey: .summary))
  }

  public func encode(to encoder: any Encoder) throws {
    try record.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(warmUp, forKey: .warmUp)
    try container.encode(summary, forKey: .summary)
  }
}
