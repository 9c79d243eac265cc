import FoundationEssentials
import Glibc
import Registers
import Testing

@testable import Measurement

/// The rule for outliers, on made-up classes: how often it names a host that is like the others, and how often it finds
/// one that is not.
struct OutlierRuleTests {
  private static let cells = 45
  private static let classes = 60

  /// A number of the standard normal distribution (Box and Muller), or of Student's t with 4 degrees of freedom, scaled
  /// to the same variance.
  private static func deviation(heavy: Bool, _ generator: inout SeededGenerator) -> Double {
    func normal() -> Double {
      let radius = (-2 * log(Double.random(in: 1e-12..<1, using: &generator))).squareRoot()
      return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator))
    }
    guard heavy else { return normal() }
    let square = (0..<4).reduce(0) { sum, _ in
      let one = normal()
      return sum + one * one
    }
    return normal() / (square / 4).squareRoot() / 2.0.squareRoot()
  }

  /// Deviations to draw from: each is dear to make.
  private static let pools = [false, true].map { heavy in
    var generator = SeededGenerator(seed: 18)
    return (0..<16_384).map { _ in deviation(heavy: heavy, &generator) }
  }

  /// A class whose hosts differ by 0.3 to 4 % from cell to cell, the first by a share more in every cell.
  private static func columns(
    hosts: Int, apart share: Double, heavy: Bool, _ generator: inout SeededGenerator
  ) -> [FleetColumn] {
    let pool = pools[heavy ? 1 : 0]
    return (0..<cells).map { number in
      let spread = exp(Double.random(in: log(0.003)..<log(0.04), using: &generator))
      let medians = (0..<hosts).map { host in
        // A heavy tail may reach below zero, and a cost may not.
        max(1, 1000 * (1 + spread * pool[generator.index(below: pool.count)])) * (host == 0 ? 1 + share : 1)
      }
      let cell = CellRecord(
        id: "cell\(number)", workload: .known(.bare), entry: .known(.syscall), policy: .known(.emulate))
      return FleetColumn(cell, medians: medians, intervals: medians.map { Interval($0 * 0.99, $0 * 1.01) })
    }
  }

  /// The share of classes in which a usual host is named, and in which the first one is.
  private static func simulate(hosts: Int, apart share: Double = 0, heavy: Bool = false) -> (
    alarms: Double, found: Double
  ) {
    var generator = SeededGenerator(seed: 18, stream: "\(hosts) \(share) \(heavy)")
    let ids = (0..<hosts).map(String.init)
    var (alarms, found) = (0, 0)
    for _ in 0..<classes {
      let named = Set(
        OutlierRule(columns: columns(hosts: hosts, apart: share, heavy: heavy, &generator)).outliers(among: ids)
          .map(\.host))
      if named.contains(where: { share == 0 || $0 != "0" }) { alarms += 1 }
      if share > 0, named.contains("0") { found += 1 }
    }
    return (Double(alarms) / Double(classes), Double(found) / Double(classes))
  }

  @Test("False alarms over all cells come in fewer than 5 % of classes, and the table in docs/fleet.md is this one")
  func table() throws {
    func percent(_ share: Double) -> String { Decimal.text(share * 100, digits: 1) }
    var rows: [String] = []
    for hosts in [8, 12, 20, 40] {
      let usual = Self.simulate(hosts: hosts).alarms
      #expect(usual < OutlierRule.error, "\(hosts) hosts")
      let heavy = Self.simulate(hosts: hosts, heavy: true).alarms
      let found = [0.1, 0.2, 0.3].map { percent(Self.simulate(hosts: hosts, apart: $0).found) }
      rows.append("| \(hosts) | \(percent(usual)) | \(percent(heavy)) | \(found.joined(separator: " | ")) |")
    }
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/fleet.md")
    let text = try String(contentsOf: page.standardizedFileURL, encoding: .utf8)
    #expect(text.contains(rows.joined(separator: "\n")), "write into docs/fleet.md:\n\(rows.joined(separator: "\n"))")
  }

  @Test("The interval of a median of hosts holds as often as it says: 8 hosts of any distribution")
  func coverage() throws {
    var generator = SeededGenerator(seed: 7)
    var held = 0
    for _ in 0..<2000 {
      // Skewed: the median of the exponential distribution is log 2.
      let figures = (0..<8).map { _ in -log(Double.random(in: 1e-12..<1, using: &generator)) }
      let interval = try #require(OrderStatistics(figures)?.medianInterval())
      if interval.contains(log(2.0)) { held += 1 }
    }
    // 99.2 % by the binomial distribution (the extremes of 8).
    #expect(abs(Double(held) / 2000 - 0.992) < 0.01)
    #expect(
      OrderStatistics.rank(count: 5, confidence: 0.95) == nil && OrderStatistics.rank(count: 6, confidence: 0.95) == 0)
    #expect(OrderStatistics.fewest(confidence: 0.95) == 6)
  }
}
