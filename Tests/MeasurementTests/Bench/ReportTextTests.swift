import JSONValues
import Testing

@testable import Measurement
@testable import Rendering

/// What a person and a spreadsheet get to see.
struct ReportTextTests {
  private func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

  @Test("The text fits 100 columns, whatever the names and however large the numbers")
  func width() {
    #expect(MadeUp.whole.text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    let long = String(repeating: "neverending", count: 12)
    var host = MadeUp.host()
    host.cpu.model = long
    let report = MadeUp.report(
      [
        MadeUp.cell("ibrs", "passthrough", cost: 3e9, msr: "0xc0010131", writes: 16, exits: 16, place: .hardware),
        MadeUp.cell(long, "passthrough", cost: 9e11, noise: 0.5),
        MadeUp.cell("wrmsr", "none", "passthrough", cost: 1e12, msr: "0xc0010131", writes: 1, place: .hardware),
        MadeUp.absent("mmio", "none", "emulate", long + " " + long),
      ], host: host, warnings: [long + " is running"])
    let tooWide = lines(report.text).filter { $0.count > 100 }
    // Only a cell's own name, which is not broken, may be wider, and it stands alone on its line.
    #expect(tooWide.allSatisfy { $0.contains(long) && !$0.contains("  ") })
    #expect(!lines(report.text).contains { $0.count > 100 && !$0.hasPrefix("neverending") })
  }

  @Test("The text fits narrower terminals, too, and loses nothing by it", arguments: [60, 80])
  func narrow(width: Int) {
    let text = MadeUp.whole.text(width: width)
    #expect(lines(text).allSatisfy { $0.count <= width }, "\(lines(text).filter { $0.count > width })")
    func words(_ text: String) -> [String] { text.split(whereSeparator: \.isWhitespace).map(String.init).sorted() }
    #expect(words(text) == words(MadeUp.whole.text))
  }

  @Test("A run says what it was, what was seen, and only what is known", arguments: [60, 100])
  func run(width: Int) {
    for report in [Sample.full, Sample.sparse] {
      let text = report.document(on: "a host").text(width: width)
      #expect(text.hasPrefix("workload") && text.contains("\nhost ") && text.contains("\nExits"))
      #expect(lines(text).allSatisfy { $0.count <= width }, "\(lines(text).filter { $0.count > width })")
    }
    let (full, sparse) = (Sample.full.document(on: "a host").text(), Sample.sparse.document(on: "a host").text())
    #expect(full.contains("\nWhat the guest saw\n  ") && full.contains("\nKVM_RUN, cycles "))
    #expect(!sparse.contains("What the guest saw") && !sparse.contains("KVM_RUN, cycles"))
    #expect(sparse.contains("no sample was completed") && sparse.contains("no statistics"))
  }

  @Test("A row says workload, policy, place, cycles, ratio and exits")
  func row() throws {
    let row = try #require(lines(MadeUp.whole.text).first { $0.hasPrefix("ibrs  ") && $0.contains("emulate") })
    let words = row.split(separator: " ").map(String.init)
    #expect(words.prefix(3) == ["ibrs", "emulate", "VMM"])
    #expect(words.suffix(2) == ["2", "2"])
    #expect(words[words.count - 3].hasPrefix("4.1"))
  }

  @Test("What spoils the result stands above the table; what is not measured is listed with its reason")
  func warnings() throws {
    let text = MadeUp.whole.text
    let warning = try #require(text.firstRange(of: "WARNING"))
    let table = try #require(text.firstRange(of: "Cost per kernel entry"))
    #expect(warning.lowerBound < table.lowerBound)
    #expect(text.contains("failed, the guest faulted at 0x10042, vector 14:\n      mmio/none/passthrough\n"))
    #expect(text.contains("unsupported, SYSENTER does not switch"))
  }

  @Test(
    "Intervals from too few rounds are warned of above the tables, once, and in JSON; not where the clock has no noise")
  func fewRounds() throws {
    func report(rounds: Int, counting: Bool = false) -> BenchReport {
      MadeUp.report(
        [MadeUp.cell("bare", "emulate", cost: 700), MadeUp.cell("bare", "manual", cost: 700, rounds: rounds)],
        environment: BenchEnvironment(countsInstructions: counting))
    }
    let few = report(rounds: 4)
    #expect(
      few.warnings == [
        "a cell was measured in only 4 rounds: intervals from fewer than 5 are not reliable"
      ])
    let warning = try #require(few.text.firstRange(of: "WARNING   a cell was measured in only 4 rounds"))
    let table = try #require(few.text.firstRange(of: "Cost per kernel entry"))
    #expect(warning.lowerBound < table.lowerBound)
    #expect(few.markdown.contains("- **warning**: a cell was measured in only 4 rounds"))
    #expect(report(rounds: 1).text.contains("in only 1 round:"))
    for enough in [report(rounds: 5), report(rounds: 0), report(rounds: 4, counting: true)] {
      #expect(enough.warnings.isEmpty)
    }
  }

  @Test("Cells that share a reason share its line; one that time did not reach says so")
  func absences() {
    let report = MadeUp.report([
      MadeUp.absent("ibrs", "syscall", "manual", writes: 2, "no such register"),
      MadeUp.absent("ibrs", "syscall", "autoload", writes: 2, "no such register"),
      MadeUp.cell("bare", "emulate", cost: 700, rounds: 0),
    ])
    #expect(
      report.text.contains("unsupported, no such register:\n      ibrs/syscall/manual, ibrs/syscall/autoload\n"))
    #expect(report.text.contains("not reached:\n      bare/syscall/emulate\n"))
  }

  @Test("Where the clock counts instructions, they are what is told everywhere; else cycles are")
  func unit() {
    var record = MadeUp.whole.record
    record.environment = BenchEnvironment(countsInstructions: true)
    let report = BenchReport(record)
    let charts = Chart.all(of: report).map { "\($0.specification["layer"] ?? $0.specification["spec"] ?? .null)" }
    for text in [report.text, report.markdown] {
      // The claims themselves are about cycles.
      let own = text.replacing("1000 to 1500 cycles", with: "").replacing("counts instructions, not cycles", with: "")
      #expect(!own.lowercased().contains("cycles") && own.contains("instructions"))
    }
    #expect(charts.count == 3 && charts.allSatisfy { $0.contains("instructions per") || $0.contains("instructions, ") })
    #expect(!MadeUp.whole.text.replacing("single instructions", with: "").contains("instructions"))
  }

  @Test("Without ids and intervals there are tables by policy, and counts of what was not measured")
  func brief() {
    var host = MadeUp.host()
    host.specCtrlProof = HostReport.Fact(works: false, seen: "a guest wrote 0x1, and 0x0 read back")
    host.policies = ["manual": HostReport.Fact(works: false, seen: "no register")]
    let report = MadeUp.report(
      [
        MadeUp.cell("bare", "passthrough", cost: 700), MadeUp.cell("bare", "emulate", cost: 710),
        MadeUp.cell(
          "ibrs", "emulate", cost: 2800, msr: "0x48", writes: 4, exits: 1, place: .vmm, over: "bare/syscall/emulate"),
        MadeUp.absent("bare", "syscall", "manual", "no register"),
        MadeUp.absent("chatty", "syscall", "manual", "no register"),
        MadeUp.absent("mmio", "none", "emulate", status: .failed, "the guest faulted"),
      ], host: host)
    let text = report.document(.brief).text()
    #expect(text.contains("\nworkload                passthrough  emulate\n"), "\(text)")
    #expect(text.contains("\nibrs, 4 writes, 1 exit            -     2"), "\(text)")
    #expect(
      text.contains("\nNot measured\n  2 cells need SPEC_CTRL: unsupported, no register\n  1 cell: failed, the guest"))
    #expect(!text.contains("/syscall/"), "no ids")
    #expect(report.text.contains("bare/syscall/manual"), "which are for those who ask for them")
    let screen = report.firstScreen.text(width: 80)
    #expect(screen.contains("2 cells need SPEC_CTRL, 1 more was not measured. More: --verbose."), "\(screen)")
  }

  @Test("Every claim, the break-even and the spread of the samples are told")
  func sections() {
    for claim in BenchReport.Claim.allCases { #expect(MadeUp.whole.text.contains("\n\(claim.rawValue)  ")) }
    #expect(MadeUp.whole.text.contains("2 exits per entry: emulate up to"))
    #expect(MadeUp.whole.text.contains("outliers  warm-up    min    p50   mean    p90    p99    max"))
  }

  @Test("Samples far outside are kept and counted, and their mean stands beside the median")
  func outliers() throws {
    var cell = MadeUp.cell("bare", "passthrough", cost: 100, rounds: 0)
    for _ in 0..<6 { cell.add(round: [100, 101, 102, 99, 98, 100, 101, 900]) }
    let report = MadeUp.report([cell])
    let row = try #require(lines(report.text).last { $0.hasPrefix("bare/syscall/passthrough") })
    #expect(
      row.split(separator: " ").dropFirst().map(String.init)
        == ["48", "6", "0", "98.0", "101", "200", "900", "900", "900"])
    let fields = zip(
      BenchReport.csvColumns,
      report.csv.split(separator: "\r\n")[1].split(separator: ",", omittingEmptySubsequences: false))
    let values = Dictionary(uniqueKeysWithValues: fields.map { ($0, String($1)) })
    #expect(values["outliers"] == "6" && values["mean"] == "200.125" && values["median"] == "100.5")
  }

  @Test("What a bystander pays for its neighbour's turns is told by the mean, though the median drops them")
  func company() throws {
    var alone = MadeUp.cell("chatty", "emulate", cost: 100, rounds: 0, exits: 1)
    var beside = MadeUp.cell(
      "chatty", "emulate", cost: 100, rounds: 0, beside: .sameCPU, exits: 1, over: alone.id)
    for _ in 0..<6 {
      alone.add(round: [100, 101, 99, 100, 101, 99, 100, 100])
      beside.add(round: [100, 101, 99, 100, 900, 99, 100, 101])
    }
    let report = MadeUp.report([alone, beside])
    #expect(report.text.contains("1.00 alone"))
    #expect(report.text.contains("mean over the mean alone: a bystander's whole cost"))
    #expect(report.text.contains("\n  chatty, neighbour on its CPU: emulate 2.00 (2.00 to 2.00)\n"))
    #expect(report.markdown.contains("\n- chatty, neighbour on its CPU: emulate 2.00 (2.00 to 2.00)\n"))
    #expect(!MadeUp.report([alone]).text.contains("mean over the mean alone"))
    // A mean that may as well be zero divides nothing.
    alone.add(round: [100, 100, -9000, 100])
    beside.add(round: [100, 100, 100, 100])
    let unknown = MadeUp.report([alone, beside])
    #expect(
      unknown.text.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains(
        "neighbour on its CPU: emulate not known (too few rounds, or a mean that may not be above zero)"))
    // A mean below zero is no cost, neither here nor in the table of the samples, nor in JSON.
    #expect(unknown.cells[0].summary?.mean == nil)
    #expect(unknown.unknown.map(\.figure) == [.mean] && unknown.unknown.map(\.cell) == [alone.id])
    #expect(unknown.text.contains("\nNot known, and shown as ?\n  mean cost: single samples are so far off"))
    let row = try #require(lines(unknown.text).last { $0.hasPrefix("\(alone.id)  ") }).split(separator: " ")
    #expect(row.suffix(6) == ["?", "100", "?", "101", "101", "101"], "\(row)")
  }

  @Test(
    "No cost is printed that cannot be: a ratio that noise swallows is not known, and so is an instruction's net cost")
  func impossible() throws {
    func wild(_ cell: CellRecord, _ costs: [Double]) -> CellRecord {
      var cell = cell
      for index in 0..<12 { cell.add(round: [Double](repeating: costs[index % costs.count], count: 8)) }
      return cell
    }
    let cells = [
      MadeUp.cell("bare", "emulate", cost: 100, noise: 0, rounds: 12),
      // Four of twelve rounds are negative: so may be the median.
      wild(
        MadeUp.cell("chatty", "emulate", cost: 1, rounds: 0, exits: 1, over: "bare/syscall/emulate"),
        [-900, 100, 110, -800, 120, 130, 140]),
      MadeUp.cell("bare", "none", "emulate", cost: 100, noise: 0, rounds: 12),
      wild(
        MadeUp.cell("cpuid", "none", "emulate", cost: 1, rounds: 0, minus: "bare/none/emulate"), [90, 105, 95, 112, 99]),
    ]
    let report = MadeUp.report(cells) { $0.clock = BenchReport.Clock(overheadCycles: 0, hertz: 2.6e9) }
    #expect(report.comparisons.isEmpty)
    #expect(
      report.unknown.map { "\($0.cell) \($0.figure.rawValue)" } == [
        "chatty/syscall/emulate mean", "chatty/syscall/emulate ratio", "cpuid/none/emulate netCost",
      ])
    let text = report.text
    func row(_ start: String, below heading: String) throws -> String {
      let section = lines(text).drop { !$0.hasPrefix(heading) }
      return String(try #require(section.first { $0.hasPrefix(start) }))
    }
    let chatty = try row("chatty ", below: "Each cell")
    #expect(chatty.contains("  at most 1") && chatty.split(separator: " ").suffix(3) == ["?", "1", "1"], "\(chatty)")
    let cpuid = try row("cpuid ", below: "Each single instruction").split(separator: " ").map(String.init)
    try #require(cpuid.count > 5, "\(cpuid)")
    #expect(cpuid[3] == "?" && cpuid[4...5] == ["at", "most"], "\(cpuid)")
    #expect(text.contains("ratio: the rounds differ by more than the cost"))
    #expect(
      text.contains(
        "cost without the loop: the rounds do not distinguish it from the loop around it:\n      cpuid/none/emulate\n"))
    let spread = text[try #require(text.firstRange(of: "Spread of the samples")).lowerBound...]
    #expect(spread.contains("the difference of a run of 2N iterations and one of N"))
    #expect(spread.replacing("\n", with: " ").contains("32 of 432 are not above zero"))
    // Only what says so by itself may be negative: an exponent, a name, an en dash; no figure is.
    #expect(!text.contains(" -9") && !text.contains(" -8") && !text.contains(" -7"))
    #expect(!report.csv.contains(",-"))
  }

  @Test("A report in which nothing was measured is still a text")
  func empty() {
    let report = MadeUp.report([])
    #expect(report.text.contains("host"))
    #expect(report.markdown.hasPrefix("# spectrap bench"))
    #expect(report.csv.split(separator: "\r\n").count == 1)
  }

  @Test("CSV has one row per cell, each as long as the head")
  func csv() {
    var inQuotes = false
    let rows = MadeUp.whole.csv.split(separator: "\r\n")
    #expect(rows.count == MadeUp.whole.cells.count + 1)
    for row in rows {
      let fields = row.split(omittingEmptySubsequences: false) { character in
        if character == "\"" { inQuotes.toggle() }
        return character == "," && !inQuotes
      }
      #expect(fields.count == BenchReport.csvColumns.count)
    }
  }

  @Test("The samples' CSV has one row per sample, in order, and says which are warm-up")
  func samples() {
    var cell = MadeUp.cell("bare", "passthrough", cost: 100, rounds: 0)
    for _ in 0..<2 { cell.add(round: [900, 100, 101.5, 102, 100, 99, 98, 101]) }
    let rows = MadeUp.report([cell, MadeUp.absent("hlt", "none", "emulate", "no")]).samplesCSV.split(separator: "\r\n")
    #expect(rows.count == 1 + 16 && rows[0] == "cell,round,sample,cycles,warm_up")
    #expect(rows[1] == "bare/syscall/passthrough,0,0,900.0,true")
    #expect(rows[3] == "bare/syscall/passthrough,0,2,101.5,false")
    #expect(rows[9] == "bare/syscall/passthrough,1,0,900.0,true")
  }

  @Test(
    "CSV fields are quoted where RFC 4180 asks for it",
    arguments: [("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("a\r\nb", "\"a\r\nb\"")])
  func quoting(text: String, field: String) { #expect(BenchReport.csvField(text) == field) }

  @Test("The claims' authors are listed with their claims, three or more in a row as a range")
  func authors() {
    #expect(
      BenchReport.Claim.authors(of: BenchReport.Claim.allCases)
        == "C1, C2, C9 by Paolo Bonzini; C3 to C8 by David Woodhouse (LKML, 2018)")
    #expect(BenchReport.Claim.authors(of: [.c4, .c7, .c3]) == "C3, C4, C7 by David Woodhouse (LKML, 2018)")
  }

  @Test("Markdown has the claims in a table, and who made them")
  func markdown() {
    #expect(MadeUp.whole.markdown.contains("| claim | verdict | why |"))
    #expect(MadeUp.whole.markdown.contains("\nClaimed by Paolo Bonzini, LKML, 2018-02-16 (quoted in "))
    #expect(MadeUp.whole.markdown.contains(", David Woodhouse, LKML, 2018-02-16 ("))
  }
}
