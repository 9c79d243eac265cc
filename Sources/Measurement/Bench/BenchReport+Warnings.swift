// Warnings about cells whose guests were delayed or interrupted.

extension CellRecord {
  /// How a cell's guests were kept from running while they were measured.
  public struct Disturbance: Codable, Equatable, Sendable {
    /// The duration of its runs, in seconds.
    public let seconds: Double
    /// How long its thread did not run meanwhile, in seconds.
    public let waited: Double
    /// The longest such time in one run, in seconds.
    public let longestWait: Double
    /// How often its thread was preempted.
    public let preemptions: UInt64
    /// How often a foreign signal ended KVM_RUN.
    public let signals: UInt64

    /// The disturbance of one run, unless `longestWait` is given.
    public init(
      seconds: Double = 0, waited: Double = 0, longestWait: Double? = nil, preemptions: UInt64 = 0, signals: UInt64 = 0
    ) {
      self.seconds = seconds
      self.waited = waited
      self.longestWait = longestWait ?? waited
      self.preemptions = preemptions
      self.signals = signals
    }

    /// The disturbance of the runs of both.
    public static func + (one: Self, other: Self) -> Self {
      Self(
        seconds: one.seconds + other.seconds, waited: one.waited + other.waited,
        longestWait: max(one.longestWait, other.longestWait), preemptions: one.preemptions + other.preemptions,
        signals: one.signals + other.signals)
    }
  }
}

extension BenchReport {
  /// The share of the time that guests may be kept waiting.
  static let toleratedWait = 0.02
  /// How often per second they may be preempted.
  static let toleratedPreemptions = 50.0
  /// The least preemptions and waiting (in seconds) for a warning, however short the runs.
  static let (fewestPreemptions, shortestWait) = (20 as UInt64, 0.01)
  /// The longest delay of a run without a warning, in seconds: longer than a scheduler's turn.
  static let toleratedHold = 0.1
  /// The largest mean of a cell without a warning, as a multiple of its median.
  static let toleratedMean = 2.0

  /// Warnings about the cells, each with what to do.
  ///
  /// A guest beside a neighbour is left out: its waiting is measured on purpose.
  static func warnings(of cells: [Cell]) -> [String] {
    let alone = cells.filter { $0.neighbour == nil && $0.isMeasured }
    return [heldUp(alone), stopped(alone), interrupted(alone), skewed(alone)].compactMap { $0 }
  }

  private static func heldUp(_ cells: [Cell]) -> String? {
    let disturbances = cells.compactMap(\.disturbance)
    let seconds = disturbances.reduce(0) { $0 + $1.seconds }
    let waited = disturbances.reduce(0) { $0 + $1.waited }
    let preemptions = disturbances.reduce(0) { $0 + $1.preemptions }
    let isKeptWaiting = waited >= shortestWait && waited / seconds > toleratedWait
    let isPreempted =
      preemptions >= fewestPreemptions && Double(preemptions) / seconds > toleratedPreemptions
    guard seconds > 0, isKeptWaiting || isPreempted else { return nil }
    return
      "guests waited for \(Decimal.percent(waited / seconds)) of the time that they were measured, and were preempted "
      + "\(preemptions) times: other work uses their processor; end it, or choose another processor with --cpu"
  }

  private static func stopped(_ cells: [Cell]) -> String? {
    let worst = cells.compactMap { cell in cell.disturbance.map { (cell.id, $0.longestWait) } }.max { $0.1 < $1.1 }
    guard let (id, seconds) = worst, seconds > toleratedHold else { return nil }
    return "a run of \(id) was held up for \(Decimal.text(seconds, digits: 1)) s: the program was stopped, or got no "
      + "processor; measure again"
  }

  private static func interrupted(_ cells: [Cell]) -> String? {
    let hit = cells.filter { ($0.disturbance?.signals ?? 0) > 0 }
    let signals = hit.reduce(0) { $0 + ($1.disturbance?.signals ?? 0) }
    guard signals > 0 else { return nil }
    return
      "\(counted(signals, "signal")) interrupted guests while they were measured, in \(hit.count) "
      + "\(hit.count == 1 ? "cell" : "cells"): the figures include the cost; find the sender, and measure again"
  }

  private static func skewed(_ cells: [Cell]) -> String? {
    let ratios = cells.compactMap { cell -> (id: String, ratio: Double)? in
      guard let summary = cell.summary, let mean = summary.mean, summary.median > 0 else { return nil }
      return (cell.id, mean / summary.median)
    }
    let many = ratios.filter { $0.ratio > toleratedMean }
    guard let worst = many.max(by: { $0.ratio < $1.ratio }) else { return nil }
    return
      "in \(many.count) of \(ratios.count) cells the mean is more than \(Decimal.text(toleratedMean, digits: 0)) "
      + "times the median (\(Decimal.text(worst.ratio, digits: 1)) times in \(worst.id)): some samples were held up for a long time; "
      + "measure on a quiet host"
  }
}
