// Figures that are not known: they must be above zero, but noise is larger than the cost.

extension BenchReport {
  /// A figure that is not known, and why.
  public struct Unknown: Codable, Equatable, Sendable {
    /// The id of the cell whose figure it is.
    public let cell: String
    public let figure: What
    /// Why, in a sentence without a full stop.
    public let reason: String

    /// A kind of figure.
    public enum What: String, Codable, CaseIterable, Sendable {
      /// The median of a cell's samples.
      case median
      /// Their mean.
      case mean
      /// A cell's median over its baseline's.
      case ratio
      /// A primitive's median without its loop's.
      case netCost
    }
  }

  /// The figures of the measured cells that are not known.
  static func openFigures(of cells: [Cell], _ estimates: Estimates) -> [Unknown] {
    cells.filter(\.isMeasured).flatMap { cell -> [Unknown] in
      var open: [Unknown] = []
      if cell.summary?.median.isCost != true {
        open.append(Unknown(cell: cell.id, figure: .median, reason: "the median of the samples is not above zero"))
      }
      if cell.summary?.mean?.isCost != true {
        open.append(
          Unknown(
            cell: cell.id, figure: .mean, reason: "single samples are so far off that the mean is not above zero"))
      }
      guard let use = cell.baselineUse, let id = cell.baseline, id != cell.id,
        let baseline = cells.first(where: { $0.id == id }), baseline.isMeasured
      else { return open }
      switch use {
      case .divide:
        do throws(RatioUnknown) { _ = try estimates.knownRatio(cell.record, over: baseline.record) } catch {
          open.append(Unknown(cell: cell.id, figure: .ratio, reason: "\(error)"))
        }
      case .subtract:
        if let net = estimates.difference(cell.record, minus: baseline.record), !net.isCost {
          open.append(
            Unknown(
              cell: cell.id, figure: .netCost, reason: "the rounds do not distinguish it from the loop around it"))
        }
      }
      return open
    }
  }
}

extension BenchReport.Clock {
  /// Whether each sample is the difference of two runs of the loop, N and 2N iterations long.
  ///
  /// A disturbance of the shorter run makes such a sample too small, and can turn it negative.
  package var samplesAreDifferences: Bool { overheadCycles == 0 }
}

extension DifferenceEstimate {
  /// Whether the difference and its interval are above zero.
  package var isCost: Bool { difference.isCost && interval.lower > 0 }
}

extension KeyedDecodingContainer {
  /// Called by the synthesised decoding of a report; older results do not have the key.
  func decode(_ type: [BenchReport.Unknown].Type, forKey key: Key) throws -> [BenchReport.Unknown] {
    try decodeIfPresent(type, forKey: key) ?? []
  }
}
