import Registers
import Testing

@testable import Measurement
@testable import Rendering

/// Which policy is recommended, and the screen that says so.
struct RecommendationTests {
  /// A host whose policies protect so far.
  private static func host(ibrsAll: Bool?, _ levels: [PolicyName: ProtectionLevel]) -> HostReport {
    var host = MadeUp.host(ibrsAll: ibrsAll)
    host.policies = Dictionary(
      uniqueKeysWithValues: levels.map {
        (.known($0.key), HostReport.Fact(works: true, seen: "made up", protects: .known($0.value)))
      })
    return host
  }

  private static let withIBRSAll = host(
    ibrsAll: true,
    [.passthrough: .guest, .emulate: .always, .shadow: .always, .manual: .guest, .autoload: .guest, .adaptive: .always])
  private static let withoutIBRSAll = host(
    ibrsAll: false, [.passthrough: .guest, .emulate: .none, .shadow: .none, .manual: .guest, .autoload: .guest])

  /// What each policy costs on a host whose register is real: per write, and per exit.
  private static func cells(_ policies: [PolicyName], noise: Double = 0.005) -> [CellRecord] {
    let bare = "bare/syscall/passthrough"
    return policies.flatMap { policy -> [CellRecord] in
      let name = policy.rawValue
      let traps = [.emulate, .shadow, .adaptive].contains(policy)
      let perExit: Double = [.manual: 2000, .autoload: 6000][policy] ?? 0
      return [
        MadeUp.cell("bare", name, cost: 100, noise: noise, over: policy == .passthrough ? nil : bare),
        MadeUp.cell("ibrs-all", name, cost: 100, noise: noise, over: bare),
        MadeUp.cell(
          "ibrs", name, cost: traps ? 6000 : 300, noise: noise, msr: "0x48", writes: 2, place: traps ? .vmm : .hardware,
          over: bare),
        MadeUp.cell("chatty", name, cost: 3000 + perExit, noise: noise, exits: 1, over: bare),
      ]
    }
  }

  private func recommended(
    _ policies: [PolicyName] = PolicyName.allCases, on host: HostReport
  ) throws -> (told: Recommendation, untold: Recommendation) {
    let all = try #require(MadeUp.report(Self.cells(policies), host: host).recommendations)
    try #require(all.map(\.situation) == [.toldIBRSAll, .notToldIBRSAll])
    return (all[0], all[1])
  }

  @Test("Guests told IBRS_ALL run under what keeps IBRS on, the others under what costs a writer and an exit least")
  func both() throws {
    let (told, untold) = try recommended(on: Self.withIBRSAll)
    #expect(told.policy == .known(.emulate) && told.protection == .known(.always))
    #expect(
      told.reason == "a guest that writes once pays 1.00 x a bare entry, one that writes at each entry 60.0 x")
    // Manual and autoload cost the writer the same, and an exit more.
    #expect(untold.policy == .known(.passthrough) && untold.protection == .known(.guest))
    #expect(untold.reason.hasPrefix("two writes make an entry 3.00 x a bare one, under emulate 60.0 x"))
    #expect(try recommended([.autoload, .manual], on: Self.withIBRSAll).untold.policy == .known(.manual))
    let shuffled = MadeUp.report(Self.cells([.shadow, .manual, .passthrough]), host: Self.withIBRSAll)
    #expect(shuffled.policyCosts.map(\.policy) == [.known(.passthrough), .known(.manual), .known(.shadow)])
    #expect(try recommended([.shadow, .passthrough], on: Self.withIBRSAll).told.policy == .known(.shadow))
  }

  @Test("A policy that protects nobody is not recommended, however cheap")
  func unprotected() throws {
    let (told, untold) = try recommended(on: Self.withoutIBRSAll)
    #expect(told.policy == nil && told.reason.contains("this host has no IBRS_ALL"))
    #expect(untold.policy == .known(.passthrough))
    let nobody = Self.host(ibrsAll: false, [.emulate: .none, .shadow: .none])
    let none = try recommended([.emulate, .shadow], on: nobody).untold
    #expect(none.policy == nil && none.reason.contains("no policy protects here"))
    #expect(try recommended(on: MadeUp.host(ibrsAll: nil)).told.reason.contains("it is unknown whether"))
  }

  @Test("What was not measured recommends nothing, and no claim is made of another register or a clock in doubt")
  func unknown() throws {
    let left = try recommended([.emulate], on: Self.withoutIBRSAll).untold
    #expect(left.policy == nil && left.reason == "the guests that would decide it were not measured")
    let cells = Self.cells(PolicyName.allCases)
    let other = MadeUp.report(cells, host: Self.withIBRSAll, msr: BenchReport.Subject(.predCmd))
    #expect(other.recommendations == [])
    let doubted = MadeUp.report(cells, host: Self.withIBRSAll) {
      $0.clock = BenchReport.Clock(overheadCycles: 0, hertz: nil, doubt: "it stands still")
    }
    #expect(doubted.recommendations?.map(\.policy) == [nil, nil])
  }

  @Test("An exit to the VMM that carries an IBPB is said where a policy's writes take it")
  func barrier() throws {
    var host = Self.withIBRSAll
    host.vulnerabilities["vmscape"] = "Mitigation: IBPB before exit to userspace"
    #expect(try recommended(on: host).untold.reason.hasSuffix(", an IBPB in each exit to the VMM"))
    host.vulnerabilities["vmscape"] = "Not affected"
    #expect(try !recommended(on: host).untold.reason.contains("IBPB"))
  }

  @Test(
    "The first screen has at most 24 lines of 80 columns, with the recommendation and every claim",
    arguments: [true, false])
  func screen(ibrsAll: Bool) throws {
    let host = ibrsAll ? Self.withIBRSAll : Self.withoutIBRSAll
    // Instructions are the longer word, and need a caveat.
    let report = MadeUp.report(
      MadeUp.whole.record.cells + Self.cells(PolicyName.allCases), host: host,
      environment: BenchEnvironment(countsInstructions: ibrsAll), warnings: ["one", "two"])
    let text = report.firstScreen.text(width: BenchReport.firstScreenWidth)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(lines.count <= 24 && lines.allSatisfy { $0.count <= 80 }, "\(text)")
    #expect(text.contains("Guests not told it: use passthrough (protects: as the guest chooses); two writes"))
    for claim in BenchReport.Claim.allCases {
      #expect(lines.contains { $0.contains("  \(claim.rawValue)  \(claim.summary)") }, "\(claim)")
    }
    let outcomes = ["HOLDS", "DOES NOT HOLD", "NOT POSSIBLE HERE", "NOT DECIDED"]
    #expect(lines.count { line in outcomes.contains { line.hasPrefix($0) } } == BenchReport.Claim.allCases.count)
    // The warnings are shown or counted, whichever there is room for.
    #expect(lines.count { $0.hasPrefix("WARNING: ") } >= 2 || text.contains(" warning"))
    #expect(lines.last?.hasSuffix("More: --verbose.") == true)
    #expect(text.contains("\nPath lengths, not time. ") == ibrsAll)
    #expect(report.conclusions.text(width: 80).split(separator: "\n").count { $0.hasPrefix("WARNING: ") } >= 2)
  }

  @Test("A benchmark that measured nothing has a first screen, too")
  func empty() {
    let text = MadeUp.report([]).firstScreen.text(width: 80)
    #expect(text.contains("Guests not told it: none; it is unknown how far each policy protects here.\n"))
  }
}
