// Which hosts stand apart from their class.
//
// A host is an outlier in a cell where its median is further from the class's than the limit of spreads between hosts,
// further than 5 % of it, and its own interval leaves the class's median out. The spread is the cell's own scaled
// median absolute deviation, and no less than the median one over all cells of the class: of a few hosts, some cell's
// deviations are small by chance. The limit is at least 3.5 spreads, and so many that over all hosts and cells of a
// class a false alarm comes in fewer than 5 of 100 classes: one cell of one host in two thousand lies beyond 3.5, and a
// class has thousands. It is Student's t, shared out by Bonferroni, with half as many degrees of freedom as there are
// hosts, because a median absolute deviation is known less well than a standard deviation. docs/fleet.md has the rule's
// false alarms, simulated.

/// The rule for the outliers of a class.
struct OutlierRule {
  /// Fewer hosts do not tell what is usual.
  static let fewestHosts = 8
  static let fewestSpreads = 3.5
  /// Less is not worth another measurement.
  static let leastShare = 0.05
  /// The share of classes with a false alarm.
  static let error = 0.05

  private let columns: [FleetColumn]
  /// The median spread of the class's cells, as a share of their medians.
  private let usualSpread: Double

  init(columns: [FleetColumn]) {
    self.columns = columns.filter { $0.count >= Self.fewestHosts && $0.statistics?.median.isCost == true }
    usualSpread =
      self.columns.compactMap(\.statistics).map { $0.spread / $0.median }.median ?? 0
  }

  /// How many spreads a host may be away, of so many that measured a cell.
  private func limit(of hosts: Int) -> Double {
    let tests = Double(max(1, columns.count * hosts))
    return max(
      Self.fewestSpreads,
      StudentT(degreesOfFreedom: max(1, (hosts - 1) / 2)).quantile(confidence: 1 - Self.error / tests))
  }

  /// The outliers, each host's most distant cell first; the hosts have these ids.
  func outliers(among ids: [String]) -> [FleetClass.Outlier] {
    var limits: [Int: Double] = [:]
    var found: [FleetClass.Outlier] = []
    for column in columns {
      guard let statistics = column.statistics else { continue }
      let limit = limits[column.count] ?? limit(of: column.count)
      limits[column.count] = limit
      let centre = statistics.median
      let spread = max(statistics.spread, usualSpread * centre)
      for (index, id) in ids.enumerated() {
        guard let median = column.medians[index] else { continue }
        let distance = abs(median - centre)
        guard distance > Self.leastShare * centre, distance > limit * spread,
          let own = column.intervals[index], !own.contains(centre)
        else { continue }
        found.append(
          FleetClass.Outlier(
            host: id, cell: column.id, median: median, classMedian: centre, share: (median - centre) / centre,
            spreads: spread > 0 ? distance / spread : .greatestFiniteMagnitude))
      }
    }
    return found.sorted { ($0.host, -abs($0.share), $0.cell) < ($1.host, -abs($1.share), $1.cell) }
  }
}
