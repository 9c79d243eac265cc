import Registers
import Testing

@testable import Measurement

/// Results of many hosts, put together.
struct FleetMergeTests {
  /// A host's result: a bare entry, and one with two trapped writes; its figures are this much above the usual.
  private func result(
    _ id: String, began: String = "2026-11-30T10:00:00Z", factor: Double = 1, ratio: Double = 3,
    host: HostReport = MadeUp.host(), isExact: Bool = false, ended: BenchReport.Ending = .rounds
  ) -> BenchReport {
    let cells = [
      MadeUp.cell("bare", "syscall", "emulate", cost: 1000 * factor),
      MadeUp.cell(
        "ibrs", "syscall", "emulate", cost: 1000 * factor * ratio, msr: "0x48", writes: 2, place: .vmm,
        over: "bare/syscall/emulate"),
    ]
    return MadeUp.report(
      cells, host: host, environment: BenchEnvironment(cpu: 2, countsInstructions: isExact)
    ) {
      $0.identity = ResultIdentity(host: id, began: began, run: 1)
      $0.ended = ended
    }
  }

  private func merged(_ results: [BenchReport], by facts: [ClassFact] = ClassFact.allCases) -> FleetReport {
    var merge = FleetMerge(by: facts, version: "0.1.0")
    for (index, result) in results.enumerated() { merge.add(result, named: "file\(index)") }
    return merge.report()
  }

  @Test("The unit is the host: a class's figure is the median of the hosts' own medians and ratios")
  func unit() throws {
    let factors = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.5]
    // The host with the largest costs has the smallest ratio: a ratio of the class's medians would not show it.
    let ratios = [3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 2.0]
    let results = zip(factors, ratios).enumerated().map { result("h\($0)", factor: $1.0, ratio: $1.1) }
    let fleet = merged(results)
    let group = try #require(fleet.classes.first)
    #expect(fleet.classes.count == 1 && fleet.measured == 7 && group.hosts == (0..<7).map { "h\($0)" })
    let bare = try #require(group.report.cell("bare/syscall/emulate"))
    let medians = results.compactMap { $0.cell(bare.id)?.summary?.median }
    #expect(bare.rounds == medians.map { [$0] } && bare.summary?.median == medians.sorted()[3])
    // 7 hosts: their extremes leave the median out in 2 of 128 cases, and the next two in 16.
    let extremes = try Interval(#require(medians.min()), #require(medians.max()))
    #expect(bare.summary?.medianInterval95 == extremes)
    let comparison = try #require(group.report.comparisons.first)
    let own = results.compactMap { $0.comparisons.first?.ratio }.sorted()
    #expect(own.count == 7 && abs(comparison.ratio - own[3]) < 1e-9)
    #expect(abs(comparison.interval.lower - own[0]) < 1e-9 && abs(comparison.interval.upper - own[6]) < 1e-9)
  }

  @Test("Fewer than 6 hosts have a range and a warning instead of an interval, and decide no claim")
  func few() throws {
    let group = try #require(merged((0..<5).map { result("h\($0)", factor: 1 + Double($0) / 100) }).classes.first)
    #expect(group.report.cells.allSatisfy { $0.summary?.medianInterval95 == nil })
    #expect(group.report.warnings.contains { $0.hasPrefix("too few hosts: 5") })
    #expect(group.report.verdicts.allSatisfy { $0.outcome != .holds && $0.outcome != .doesNotHold })
    #expect(merged((0..<6).map { result("h\($0)") }).classes.first?.report.warnings == [])
  }

  @Test("Hosts of another kernel, and clocks that count something else, are other classes; the largest is A")
  func classes() throws {
    let old = (0..<3).map { result("old\($0)") }
    let new = (0..<2).map { result("new\($0)", host: MadeUp.host(kernel: "7.3.4")) }
    let fleet = merged(new + old + [result("lab", isExact: true)])
    #expect(fleet.classes.map(\.name) == ["A", "B", "C"])
    #expect(fleet.classes.map(\.hosts) == [["old0", "old1", "old2"], ["new0", "new1"], ["lab"]])
    #expect(fleet.classes[1].facts["kernel"] == "7.3.4")
    let alike = merged(new + old, by: [.vendor])
    #expect(alike.classes.count == 1 && alike.classes[0].facts == ["vendor": "GenuineIntel"])
  }

  @Test("Of several results of one host, whatever the order, the one that began last counts, in its own class")
  func repeated() throws {
    let early = result("h", began: "2026-11-30T10:00:00Z", host: MadeUp.host(kernel: "6.1"))
    let late = result("h", began: "2026-11-30T11:00:00Z", factor: 2)
    for (order, passedOver) in [([early, late], "file0"), ([late, early], "file1")] {
      let fleet = merged(order)
      #expect(fleet.superseded == [passedOver] && fleet.asked == 1 && fleet.measured == 1)
      #expect(fleet.classes.map { $0.facts["kernel"] } == ["6.12.0"])
      #expect(fleet.classes[0].report.cells[0].rounds == [[try #require(late.cells[0].summary?.median)]])
    }
  }

  @Test("Whoever was asked stays in the count, with the status and the first line of standard error")
  func absent() throws {
    var merge = FleetMerge(version: "0.1.0")
    merge.add(
      FleetOrder(hosts: ["n1", "n2", "n3", "n4", "n5", "n6"], command: ["bench"], began: "2026-11-30T10:00:00Z"))
    merge.add(result("first"), named: "n1")
    merge.add(result("second", ended: .cancelled), named: "n2")
    for (host, status) in [("n1", 0), ("n2", 130), ("n3", 69), ("n4", 75), ("n5", 70)] {
      merge.add(
        HostStatus(
          host: host, exitStatus: Int(status), began: "2026-11-30T10:00:00Z", ended: "2026-11-30T10:01:00Z"))
    }
    merge.add(error: "spectrap: no /dev/kvm", of: "n3")
    let fleet = merge.report()
    #expect(fleet.asked == 6 && fleet.measured == 1)
    #expect(fleet.absent.map(\.fate) == [.partial, .unavailable, .timedOut, .failed, .missing])
    #expect(fleet.absent[0].exitStatus == 130)
    #expect(fleet.absent[1].exitStatus == 69 && fleet.absent[1].reason == "spectrap: no /dev/kvm")
    #expect(fleet.absent[4].host == "n6" && fleet.absent[4].exitStatus == nil)
  }

  @Test("A partial result does not count where a whole one of the same host is there")
  func partialThenWhole() {
    let fleet = merged([result("h", ended: .cancelled), result("h"), result("other", ended: .cancelled)])
    #expect(fleet.asked == 2 && fleet.measured == 1 && fleet.superseded == ["file0"])
    #expect(fleet.absent.map(\.host) == ["other"])
  }

  @Test("Two cells of one id in a result from a file are one, and the hosts after it keep their places")
  func hostile() throws {
    let cells = [
      MadeUp.cell("bare", "syscall", "emulate", cost: 1000), MadeUp.cell("bare", "syscall", "emulate", cost: 900),
    ]
    let twice = MadeUp.report(cells) { $0.identity = ResultIdentity(host: "twice", began: "", run: 1) }
    let group = try #require(merged([twice, result("h", factor: 2)]).classes.first)
    let medians = try #require(group.report.cell("bare/syscall/emulate")).rounds
    #expect(medians.count == 2 && abs(medians[0][0] - 1000) < 10 && abs(medians[1][0] - 2000) < 20)
  }

  @Test("A host without a ratio of its own is left out of the class's ratio")
  func ratioless() throws {
    let ratio = try RatioEstimate(ofHosts: [[3], [6], [-1], []], over: [[1], [2], [1], [1]], confidence: 0.95)
    #expect(ratio.ratio == 3 && ratio.rounds == 2)
    #expect(throws: RatioUnknown.dividend) {
      try RatioEstimate(ofHosts: [[-1]], over: [[1]], confidence: 0.95)
    }
    #expect(throws: RatioUnknown.noCommonRound) { try RatioEstimate(ofHosts: [[]], over: [[1]], confidence: 0.95) }
  }

  @Test("A claim is judged on the class's interval, and hosts that disagree are counted")
  func votes() throws {
    let results = (0..<8).map { result("h\($0)", factor: 1 + Double($0) / 1000) }
    let group = try #require(merged(results).classes.first)
    for vote in group.votes { #expect(vote.hosts.values.reduce(0, +) == 8 && !vote.isDisputed, "\(vote.claim)") }
    let disputed = FleetClass.Vote(claim: .c2, hosts: ["holds": 7, "doesNotHold": 1])
    #expect(disputed.isDisputed && !FleetClass.Vote(claim: .c2, hosts: ["holds": 7, "notDecided": 1]).isDisputed)
  }

  @Test("A host that stands apart is named, with the cell; one that measured itself badly is not")
  func outliers() throws {
    let usual = (0..<11).map { result("h\($0)", factor: 1 + Double($0 % 5) / 500) }
    let group = try #require(merged(usual + [result("slow", factor: 1.3)]).classes.first)
    #expect(Set(group.outliers.map(\.host)) == ["slow"])
    let outlier = try #require(group.outliers.first)
    #expect(outlier.cell == "bare/syscall/emulate" || outlier.cell == "ibrs/syscall/emulate")
    #expect(abs(outlier.share - 0.295) < 0.02 && outlier.spreads > OutlierRule.fewestSpreads)
    #expect(merged(usual).classes.first?.outliers == [])
    #expect(
      merged(usual.prefix(6) + [result("slow", factor: 1.3)]).classes.first?.outliers == [], "7 hosts are too few")
  }

  @Test("A pool may be told what every class offers, and each class's cost is named")
  func pool() throws {
    func host(_ kernel: String, ssbd: Bool) -> HostReport {
      var host = MadeUp.host(kernel: kernel)
      host.speculation.kvm = SpeculationView(
        ibrs: true, stibp: true, ssbd: ssbd, ibpb: true, ibrsAll: ssbd, archCapabilities: nil)
      return host
    }
    let fleet = merged(
      [result("a", host: host("1", ssbd: true)), result("b", host: host("2", ssbd: false)), result("c")])
    let names = Dictionary(uniqueKeysWithValues: fleet.classes.map { ($0.hosts[0], $0.name) })
    #expect(fleet.pool.told == ["IBRS", "STIBP", "IBPB"])
    #expect(fleet.pool.costs == [try #require(names["b"]): ["SSBD", "IBRS_ALL"]])
    #expect(fleet.pool.unknown == [try #require(names["c"])])
  }

  @Test("An id hides the hostname, and is the same for the same name")
  func hidden() {
    let id = ResultIdentity.hidden("node1")
    #expect(id == ResultIdentity.hidden("node1") && id != ResultIdentity.hidden("node2") && id.count == 16)
    // FNV-1a of "a", from the reference.
    #expect(ResultIdentity.hidden("a") == "af63dc4c8601ec8c")
    #expect(ResultIdentity(host: "h", began: "", run: 255).run == "00000000000000ff")
  }
}
