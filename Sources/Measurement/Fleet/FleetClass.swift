// Hosts that are alike: their figures over hosts, how much they differ, and which of them stands apart.
//
// The unit is the host. A host's figure is its own median or ratio; the class's figure is the median of those, between
// two of them (order statistics). Samples of different hosts are never put together, and no host is scaled.

/// A class of hosts, measured.
public struct FleetClass: Codable, Equatable, Sendable {
  /// `A`, `B`, … in the order of their sizes.
  public let name: String
  /// What its hosts have in common, by the facts that classes were made by.
  public let facts: [String: String]
  /// The ids of its hosts.
  public let hosts: [String]
  /// The result over its hosts: each cell's `rounds` are the hosts' medians, one each; the `host` is the first one.
  public let report: BenchReport
  /// How the hosts differ, cell by cell.
  public let spreads: [Spread]
  /// What the hosts' own results say of each claim.
  public let votes: [Vote]
  /// The hosts that stand apart from the others.
  public let outliers: [Outlier]

  /// How the hosts of a class differ in a cell.
  public struct Spread: Codable, Equatable, Sendable {
    public let cell: String
    /// The number of hosts that measured it.
    public let hosts: Int
    /// From the least to the largest of the hosts' medians, in the clock's unit.
    public let range: Interval
    /// The scaled median absolute deviation between hosts, as a share of the median: 0.01 is 1 %; null where the median
    /// is not above zero.
    @Nullable public private(set) var betweenHosts: Double?
    /// The median width of the hosts' own 95 % intervals, as a share of their medians; null where they have none.
    @Nullable public private(set) var ownWidth: Double?
  }

  /// How many hosts say what about a claim.
  public struct Vote: Codable, Equatable, Sendable {
    public let claim: BenchReport.Claim
    /// The hosts by outcome: `{"holds": 11, "doesNotHold": 1}`.
    public let hosts: [String: Int]

    /// Whether some hosts say that it holds, and some that it does not.
    public var isDisputed: Bool {
      let outcomes = [BenchReport.Verdict.Outcome.holds, .doesNotHold]
      return outcomes.allSatisfy { hosts[$0.rawValue] ?? 0 > 0 }
    }
  }

  /// A host that should be measured again.
  public struct Outlier: Codable, Equatable, Sendable {
    public let host: String
    public let cell: String
    /// Its median and its class's, in the clock's unit.
    public let median: Double
    public let classMedian: Double
    /// Its distance from the class's median, as a share of that, and in spreads between hosts.
    public let share: Double
    public let spreads: Double
  }
}

/// A class while results come in.
struct FleetClassBuilder {
  /// Everything but the cells of the first host.
  private var template: BenchRecord
  private var members: [Member] = []
  private var columns: [FleetColumn] = []
  /// The index of each cell's column.
  private var places: [String: Int] = [:]

  private struct Member {
    let id: String
    let outcomes: [BenchReport.Claim: BenchReport.Verdict.Outcome]
  }

  init(_ first: BenchReport) {
    template = first.record
    template.unit = .hosts
    template.cells = []
  }

  var count: Int { members.count }
  var host: HostReport { template.host }

  /// Adds a host; `whole` is its whole result, for cells that no host before it has measured.
  mutating func add(_ figures: HostFigures, as id: String, whole: () throws -> BenchReport) rethrows {
    let index = members.count
    let isNew = { [columns, places] (cell: HostFigures.Cell) in
      places[cell.id].map { cell.median != nil && columns[$0].count == 0 } ?? true
    }
    if figures.cells.contains(where: isNew) {
      for cell in try whole().cells { learn(cell, hosts: index) }
    }
    for cell in figures.cells {
      // A result from a file may have two cells of one id: the first counts.
      guard let place = places[cell.id], columns[place].medians.count == index else { continue }
      columns[place].add(cell)
    }
    members.append(
      Member(
        id: id,
        outcomes: Dictionary(figures.verdicts.map { ($0.claim, $0.outcome) }, uniquingKeysWith: { one, _ in one })))
    for place in columns.indices { columns[place].pad(to: members.count) }
  }

  /// Takes what a cell is about from a host that measured it, or is the first to have it.
  private mutating func learn(_ cell: BenchReport.Cell, hosts: Int) {
    if let place = places[cell.id] {
      if columns[place].count == 0, cell.isMeasured { columns[place].model = cell.record }
    } else {
      places[cell.id] = columns.count
      columns.append(
        FleetColumn(
          cell.record, medians: Array(repeating: nil, count: hosts), intervals: Array(repeating: nil, count: hosts)))
    }
  }

  /// Takes a host out again.
  mutating func remove(_ id: String) {
    guard let index = members.firstIndex(where: { $0.id == id }) else { return }
    members.remove(at: index)
    for place in columns.indices { columns[place].remove(index) }
  }

  /// The class under this name.
  func closed(as name: String, by facts: [ClassFact], version: String) -> FleetClass {
    var record = template
    record.version = version
    record.cells = columns.map(\.record)
    record.ended = .rounds
    record.environment = BenchEnvironment(countsInstructions: template.environment.countsInstructions)
    record.warnings = []
    record.identity = nil
    let measured = columns.filter { $0.count > 0 }
    return FleetClass(
      name: name,
      facts: Dictionary(facts.map { ($0.rawValue, $0.value(of: host)) }, uniquingKeysWith: { one, _ in one }),
      hosts: members.map(\.id), report: BenchReport(record), spreads: measured.compactMap(\.spread),
      votes: BenchReport.Claim.allCases.compactMap { claim in
        let outcomes = members.compactMap { $0.outcomes[claim]?.rawValue }
        return outcomes.isEmpty
          ? nil : FleetClass.Vote(claim: claim, hosts: Dictionary(outcomes.map { ($0, 1) }, uniquingKeysWith: +))
      },
      outliers: record.environment.isExact ? [] : OutlierRule(columns: measured).outliers(among: members.map(\.id)))
  }
}

/// One cell of all hosts of a class.
struct FleetColumn {
  /// The cell of the first host that measured it, or of the first that has it.
  var model: CellRecord
  /// The hosts' medians and their own intervals; nil where a host did not measure it.
  private(set) var medians: [Double?]
  private(set) var intervals: [Interval?]

  /// A column of hosts' medians and their own intervals.
  init(_ cell: CellRecord, medians: [Double?], intervals: [Interval?]) {
    model = cell
    self.medians = medians
    self.intervals = intervals
  }

  var id: String { model.id }
  var count: Int { medians.count { $0 != nil } }

  mutating func add(_ cell: HostFigures.Cell) {
    medians.append(cell.median)
    intervals.append(cell.summary?.medianInterval95)
  }

  mutating func remove(_ index: Int) {
    medians.remove(at: index)
    intervals.remove(at: index)
  }

  /// Adds nothing for hosts that do not have the cell.
  mutating func pad(to count: Int) {
    while medians.count < count {
      medians.append(nil)
      intervals.append(nil)
    }
  }

  /// The cell whose rounds are hosts.
  var record: CellRecord {
    var record = model
    record.rounds = medians.map { $0.map { [$0] } ?? [] }
    record.disturbance = nil
    record.kvmStatisticsPerEntry = nil
    record.exitReasonsPerEntry = nil
    return record
  }

  var statistics: OrderStatistics? { OrderStatistics(medians.compactMap(\.self)) }

  var spread: FleetClass.Spread? {
    guard let statistics else { return nil }
    let widths = zip(medians, intervals).compactMap { median, interval -> Double? in
      guard let median, median.isCost, let interval else { return nil }
      return interval.width / median
    }
    return FleetClass.Spread(
      cell: id, hosts: count, range: statistics.range,
      betweenHosts: statistics.median.isCost ? statistics.spread / statistics.median : nil, ownWidth: widths.median)
  }
}
