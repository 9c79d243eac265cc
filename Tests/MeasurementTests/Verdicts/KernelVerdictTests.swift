// A real kernel's cells in a report: what they are, what they say of the claims, and how two results of them compare.

import FoundationEssentials
import JSONValues
import Registers
import Rendering
import TestSupport
import Testing

@testable import Measurement

extension MadeUp {
  /// A kernel's cell of about this cost.
  static func kernel(
    _ policy: PolicyName, work: KernelWork = .getppid, told mitigation: KernelMitigation, says: String? = nil,
    cost: Double, noise: Double = 0.002, isolated: Bool? = nil
  ) -> CellRecord {
    let says = says ?? sentences[mitigation]
    let taken = says.flatMap(KernelMitigation.init(reported:))
    let isTrapped = policy == .emulate || policy == .shadow
    let writes = work.writes(under: taken) ?? 0
    let kernel = CellRecord.Kernel(
      work, told: mitigation, says: says, isIsolated: isolated, iterations: 1000,
      writes: isTrapped ? UInt64(1000 * writes) : 0,
      interrupts: 0)
    var cell = CellRecord(kernel, under: policy)
    cell.writesPerEntry = writes
    cell.place = writes == 0 ? .none : isTrapped ? .vmm : .hardware
    cell.vmmExitsPerEntry = isTrapped ? Double(writes) : 0
    cell.kvmExitsPerEntry = cell.vmmExitsPerEntry
    var generator = SeededGenerator(seed: 18, stream: cell.id)
    for _ in 0..<8 {
      cell.add(round: (0..<10).map { _ in cost * (1 + Double.random(in: -noise...noise, using: &generator)) })
    }
    return cell
  }

  private static let sentences: [KernelMitigation: String] = [
    .ibrs: "Mitigation: IBRS; IBPB: conditional", .retpoline: "Mitigation: Retpolines; IBPB: conditional",
    .eibrs: "Mitigation: Enhanced IBRS", .off: "Vulnerable",
  ]

  /// A kernel that writes and one that does not, under three policies; trapped writes make it so many times slower.
  static func kernels(trapped factor: Double, manual: Double = 1) -> [CellRecord] {
    [
      kernel(.passthrough, told: .retpoline, cost: 400), kernel(.emulate, told: .retpoline, cost: 400),
      kernel(.manual, told: .retpoline, cost: 400 * manual), kernel(.passthrough, told: .ibrs, cost: 410),
      kernel(.emulate, told: .ibrs, cost: 400 * factor), kernel(.manual, told: .ibrs, cost: 410),
    ]
  }
}

@Suite("A real kernel")
struct KernelVerdictTests {
  @Test("has cells whose ids say what it was told, and which are compared with passthrough")
  func identity() {
    let cell = MadeUp.kernel(.emulate, work: .pageFault, told: .ibrs, cost: 1)
    #expect(cell.id == "linux/page-fault/emulate/ibrs" && cell.baseline == "linux/page-fault/passthrough/ibrs")
    #expect(MadeUp.kernel(.passthrough, told: .off, cost: 1).baseline == nil)
    #expect(cell.workload.text == "linux" && cell.entry.text == "page-fault" && !cell.isPrimitive)
  }

  @Test("stands in JSON as the schema says, is read back the same, and not lost where its words are not known")
  func json() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../docs/bench.schema.json").standardizedFileURL
    let check = SchemaCheck(schema: try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: file)))
    let report = MadeUp.report(MadeUp.whole.cells.map(\.record) + MadeUp.kernels(trapped: 3))
    let data = try JSONEncoder().encode(report)
    #expect(check.problems(try JSONDecoder().decode(JSONValue.self, from: data)) == [])
    #expect(try JSONDecoder().decode(BenchReport.self, from: data) == report)
    let newer = String(decoding: data, as: UTF8.self).replacing("\"retpoline\"", with: "\"novel\"")
    let read = try JSONDecoder().decode(BenchReport.self, from: Data(newer.utf8))
    #expect(read.cells.contains { $0.kernel?.mitigation == .unknown("novel") })
  }

  @Test("that does not do what it was told is named in a warning")
  func deviation() {
    let cells = [PolicyName.passthrough, .emulate].map {
      MadeUp.kernel($0, told: .ibrs, says: "Mitigation: Retpolines", cost: 400)
    }
    let warnings = MadeUp.report(cells + MadeUp.kernels(trapped: 3)).warnings.filter { $0.contains("was told") }
    #expect(
      warnings == [
        "the kernel that was told to use ibrs reports \"Mitigation: Retpolines\" under passthrough, emulate: its cells "
          + "show the mitigation that it reports"
      ])
    let auto = MadeUp.kernel(.passthrough, told: .auto, says: "Mitigation: Retpolines", cost: 400)
    #expect(auto.kernel?.hasTaken == true)
  }

  @Test("confirms what small guests say, or not, of C6; a report without one has no such line")
  func verdicts() throws {
    let small = MadeUp.whole.cells.map(\.record)
    let felt = MadeUp.report(small + MadeUp.kernels(trapped: 3, manual: 1.05))
    #expect(try #require(felt.verdict(on: .c6).kernel).outcome == .doesNotHold, "the restore is felt")
    let free = MadeUp.report(small + MadeUp.kernels(trapped: 3))
    let line = try #require(free.verdict(on: .c6).kernel)
    #expect(line.outcome == .holds)
    for claim in BenchReport.Claim.allCases where claim != .c6 {
      #expect(free.verdict(on: claim).kernel == nil, "\(claim)")
    }
    #expect(MadeUp.whole.verdicts.allSatisfy { $0.kernel == nil })
    for claim in [BenchReport.Claim.c4, .c5, .c6, .c7, .c8] {
      let verdict = MadeUp.whole.verdict(on: claim)
      #expect(free.verdict(on: claim).outcome == verdict.outcome, "the kernel decides nothing of it")
      #expect(free.verdict(on: claim).reason == verdict.reason)
    }
  }

  @Test("of which a cell is missing says what is missing")
  func disagreement() throws {
    let small = MadeUp.whole.cells.map(\.record)
    let writersOnly = MadeUp.kernels(trapped: 3).filter { $0.kernel?.mitigation == .known(.ibrs) }
    let open = try #require(MadeUp.report(small + writersOnly).verdict(on: .c6).kernel)
    #expect(
      open.outcome == .notMeasured && open.agrees == nil && open.reason.contains("etppid of a kernel with retpolines"))
  }

  @Test("has a table, a line for what it says, and a second line below each verdict, in text, Markdown and CSV")
  func rendered() throws {
    let report = MadeUp.report(MadeUp.whole.cells.map(\.record) + MadeUp.kernels(trapped: 3))
    for text in [report.text, report.markdown] {
      for words in ["A Linux kernel's own work", "told ibrs: Mitigation: IBRS; IBPB: conditional", "A real kernel "] {
        #expect(text.contains(words), "\(words)")
      }
    }
    #expect(report.text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    let row = try #require(report.csv.split(separator: "\r\n").first { $0.hasPrefix("linux/getppid/emulate/ibrs,") })
    #expect(row.hasSuffix(",ibrs,ibrs,Mitigation: IBRS; IBPB: conditional,2.0"))
    #expect(row.hasPrefix("linux/getppid/emulate/ibrs,linux,getppid,emulate,0x48,,2,0,VMM,measured,"))
  }

  @Test(
    "that says something else in another result is a difference between the two; its cells are compared like others")
  func comparison() {
    let first = MadeUp.report(MadeUp.kernels(trapped: 3))
    let same = ReportComparison(first, first)
    #expect(same.environment.isEmpty && same.cells.count == 6 && same.passes(threshold: 0.05))
    var record = first.record
    record.cells = record.cells.map { cell in
      guard cell.id == "linux/getppid/emulate/ibrs" else { return cell }
      return MadeUp.kernel(.emulate, told: .ibrs, says: "Mitigation: Retpolines", cost: 400)
    }
    let other = ReportComparison(first, BenchReport(record))
    #expect(other.environment.map(\.name) == ["kernel of linux/getppid/emulate/ibrs"])
    #expect(!other.improvements(threshold: 0.5).isEmpty)
  }
}
