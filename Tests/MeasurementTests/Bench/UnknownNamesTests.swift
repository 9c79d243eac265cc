import FoundationEssentials
import Registers
import Rendering
import Testing

@testable import Measurement

/// Results of a newer version, which has names that this one does not know.
struct UnknownNamesTests {
  private static func encoded(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// A whole result in which one workload, one entry, one policy and the MSR that stands in have other names.
  private static func renamed() throws -> String {
    try encoded(MadeUp.whole).replacing("retpoline", with: "safecall").replacing("sysenter", with: "fred")
      .replacing("shadow", with: "mirror").replacing("\"0x3b\"", with: "\"IA32_NEW\"")
  }

  private static func report() throws -> BenchReport {
    try JSONDecoder().decode(BenchReport.self, from: Data(renamed().utf8))
  }

  @Test("They are read, and written again as they were")
  func roundTrip() throws {
    let report = try Self.report()
    #expect(try Self.encoded(report) == Self.renamed())
    #expect(Set(report.cells.map(\.workload)).contains(.unknown("safecall")))
    #expect(Set(report.cells.map(\.entry)).contains(.unknown("fred")))
    #expect(Set(report.cells.map(\.policy)).contains(.unknown("mirror")))
    #expect(Set(report.cells.map(\.msr)).contains(.unknown("IA32_NEW")))
    #expect(Set(report.cells.map(\.policy)).contains(.known(.emulate)), "and those that are known still are")
  }

  @Test("They are compared, by their samples, and shown")
  func shown() throws {
    let report = try Self.report()
    let comparison = ReportComparison(report, report)
    #expect(comparison.cells.map(\.cell).contains("safecall/syscall/mirror"))
    #expect(comparison.cells.count == report.cells.count { $0.isMeasured } && comparison.environment == [])
    #expect(comparison.passes(threshold: 0.05, bothWays: true))
    for text in [report.text, report.markdown, report.csv] {
      for name in ["safecall", "fred", "mirror"] { #expect(text.contains(name)) }
    }
    #expect(Chart.all(of: report).map(\.name) == Chart.all(of: MadeUp.whole).map(\.name))
  }

  @Test("Claims are judged by the names that are known, and a model is fitted for a policy of any name")
  func judged() throws {
    let report = BenchReport(try Self.report().record)
    for claim in [BenchReport.Claim.c4, .c5] {
      #expect(report.verdict(on: claim).outcome == MadeUp.whole.verdict(on: claim).outcome, "\(claim)")
      #expect(report.verdict(on: claim).figures.count == MadeUp.whole.verdict(on: claim).figures.count, "\(claim)")
    }
    #expect(report.verdict(on: .c6).outcome == .notMeasured && report.verdict(on: .c8).figures.isEmpty)
    #expect(report.breakEven?.models.map(\.policy).contains(.unknown("mirror")) == true)
  }

  @Test("A run's result is read, and written again as it was")
  func run() throws {
    var text = try Self.encoded(Sample.full)
    for (known, new) in [
      (":\"ibrs\"", ":\"safecall\""), ("\"syscall\"", "\"fred\""), (":\"emulate\"", ":\"mirror\""),
      (":\"always\"", ":\"mostly\""),
    ] { text = text.replacing(known, with: new) }
    let report = try JSONDecoder().decode(RunReport.self, from: Data(text.utf8))
    #expect(report.workload == .unknown("safecall") && report.protection.level == .unknown("mostly"))
    #expect(report.host?.entries?.keys.first == .unknown("fred"))
    #expect(try Self.encoded(report) == text)
  }

  @Test("A name is equal to what it names, and to nothing else")
  func equality() {
    let known = Known<PolicyName>("emulate")
    #expect(known == .known(.emulate) && known == .emulate && known != .manual && known.value == .emulate)
    let unknown = Known<PolicyName>("mirror")
    #expect(unknown == .unknown("mirror") && unknown != .emulate && unknown.value == nil && unknown.text == "mirror")
    #expect(Known<MSR>("0x48") == .specCtrl && Known<MSR>("0x048") == .unknown("0x048"))
  }
}
