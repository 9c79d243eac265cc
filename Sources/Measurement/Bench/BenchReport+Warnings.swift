// What the cells themselves say against a benchmark: something held their guests up, or interrupted them.

extension CellRecord {
  /// What kept a cell's guests from running while they were measured.
  public struct Disturbance: Codable, Equatable, Sendable {
    /// How long its runs took in all, in seconds.
    public var seconds: Double
    /// How long of that its thread did not run, in seconds.
    public var waited: Double
    /// The most of that in one run, in seconds.
    public var longestWait: Double
    /// How often its thread was taken off the processor while it wanted to run on.
    public var preemptions: UInt64
    /// How often a signal that nobody here had ordered ended KVM_RUN.
    public var signals: UInt64

    public init(
      seconds: Double = 0, waited: Double = 0, longestWait: Double = 0, preemptions: UInt64 = 0, signals: UInt64 = 0
    ) {
      self.seconds = seconds
      self.waited = waited
      self.longestWait = longestWait
      self.preemptions = preemptions
      self.signals = signals
    }

    /// Adds one run.
    public mutating func add(seconds: Double, waited: Double, preemptions: UInt64, signals: UInt64) {
      self.seconds += seconds
      self.waited += waited
      longestWait = max(longestWait, waited)
      self.preemptions += preemptions
      self.signals += signals
    }
  }
}

extension BenchReport {
  /// The share of the time that guests may be kept waiting.
  static let toleratedWait = 0.02
  /// How often in a second they may be taken off the processor.
  static let toleratedPreemptions = 50.0
  /// The least that says anything of other work, however short the runs; the wait in seconds.
  static let (fewestPreemptions, shortestWait) = (20 as UInt64, 0.01)
  /// How long a run may be held up, in seconds: longer than a scheduler makes anyone wait who is not alone.
  static let toleratedHold = 0.1
  /// How many times its median a cell's mean may be.
  static let toleratedMean = 2.0

  /// What of the cells may spoil the result, each in a sentence that says what to do.
  ///
  /// A guest beside a neighbour waits while the other has its turn: that is what is measured there.
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
      "\(signals) \(signals == 1 ? "signal" : "signals") interrupted guests while they were measured, in \(hit.count) "
      + "\(hit.count == 1 ? "cell" : "cells"): what that costs is in the figures; find who sends them, and measure again"
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
      + "times the median (\(Decimal.text(worst.ratio, digits: 1)) times in \(worst.id)): some samples were held up for long; "
      + "measure on a quiet host"
  }
}
