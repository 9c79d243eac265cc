import Registers
import Rendering
import Testing

@testable import Measurement

/// The break-even of cells whose costs are known.
struct BreakEvenTests {
  private func near(_ value: Double, _ expected: Double, _ tolerance: Double = 1e-6) -> Bool {
    abs(value - expected) <= tolerance * max(1, abs(expected))
  }

  /// Noiseless cells of a policy: base 700 cycles.
  private func cells(_ policy: String, perWrite: Double, perExit: Double, msr: String? = "0x48") -> [CellRecord] {
    [(0, 0), (1, 0), (2, 0), (4, 0), (0, 1), (2, 1), (4, 2), (8, 4)].map { writes, exits in
      MadeUp.cell(
        "ibrs", policy, cost: 700 + perWrite * Double(writes) + perExit * Double(exits), noise: 0, msr: msr,
        writes: writes, exits: exits)
    }
  }

  @Test("The model's coefficients are those the costs were made of, and unseen cells are predicted")
  func fit() throws {
    let all = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    let breakEven = try #require(BreakEven(cells: all))
    let emulate = try #require(breakEven.models.first { $0.policy == "emulate" })
    #expect(near(emulate.base, 700) && near(emulate.perWrite, 1300) && near(emulate.perExit, 2000))
    #expect(emulate.fittedOn.count == 8 && breakEven.checks.count == 16, "fitted on all, each checked by the others")
    #expect(breakEven.checks.allSatisfy { abs($0.relativeError) < 1e-9 })
    #expect(breakEven.contradictions == [])
  }

  @Test("Where writes cost more in one half of the run than in the other the crossing's interval is wider")
  func stretches() throws {
    func width(_ isSlow: (Int) -> Bool) throws -> Double {
      func cells(_ policy: String, perWrite: Double, perExit: Double) -> [CellRecord] {
        [(0, 0), (1, 0), (2, 0), (4, 0), (0, 1), (2, 1), (4, 2), (8, 4)].map { writes, exits in
          var cell = MadeUp.cell(
            "ibrs", policy, cost: 700, rounds: 0, msr: "0x48", writes: writes, exits: exits)
          for round in 0..<16 {
            let perWrite = isSlow(round) && policy == "emulate" ? 1.1 * perWrite : perWrite
            let cost = 700 + perWrite * Double(writes) + perExit * Double(exits)
            cell.add(round: [cost, cost + 1, cost + 2])
          }
          return cell
        }
      }
      let all =
        cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
      let crossing = try #require(BreakEven(cells: all, seed: 1)?.crossings.first)
      let interval = try #require(crossing.perExitInterval)
      #expect(interval.contains(crossing.perExit))
      return interval.width
    }
    #expect(try width { $0 >= 8 } > 1.2 * width { $0.isMultiple(of: 2) })
  }

  @Test("A cell is checked by a fit that has not seen it, so that its own cost moves no prediction of it")
  func crossValidation() throws {
    func predicted(cost factor: Double) throws -> Double {
      var all = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
      all[5].rounds = all[5].rounds.map { $0.map { $0 * factor } }
      return try #require(BreakEven(cells: all)?.checks.first { $0.cell == all[5].id }).predicted
    }
    for factor in [1.0, 3] {
      let cost = try predicted(cost: factor)
      #expect(near(cost, 700 + 1000 + 2400))
    }
  }

  @Test("adaptive takes one side or the other, and is no side of its own")
  func adaptive() throws {
    let fixed = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    let all = fixed + cells("adaptive", perWrite: 400, perExit: 1900)
    #expect(BreakEven(cells: all) == BreakEven(cells: fixed))
    #expect(BreakEven(cells: all)?.models.map(\.policy) == ["passthrough", "emulate"])
  }

  @Test("Where the linear model does not fit no winner and no crossing is named, and one line says why")
  func error() throws {
    var all = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    #expect(BreakEven(cells: all)?.withheld == nil)
    for index in all.indices where all[index].writesPerEntry == 2 {
      all[index].rounds = all[index].rounds.map { $0.map { $0 * 1.5 } }
    }
    let breakEven = try #require(BreakEven(cells: all))
    #expect(breakEven.checks.contains { abs($0.relativeError) > 0.1 })
    #expect(breakEven.winners == [] && breakEven.crossings == [] && breakEven.contradictions == [])
    #expect(breakEven.withheld?.hasPrefix("the linear model does not fit") == true)
    // Of cells without noise, only a clock that counts instructions is believed.
    let text = MadeUp.report(all, environment: BenchEnvironment(countsInstructions: true)).text
    #expect(text.contains("\nNo winner is named: the linear model does not fit"))
    #expect(!text.contains("The cheapest policy") && !text.contains("costs less than"))
    #expect(!MadeUp.whole.text.contains("does not fit") && MadeUp.whole.text.contains("The cheapest policy"))
  }

  @Test("Policies are compared by the same guests: what only one was measured with moves no line")
  func sameCells() throws {
    let (one, other) = (cells("emulate", perWrite: 1300, perExit: 2000), cells("shadow", perWrite: 1310, perExit: 2010))
    // A guest of emulate's alone, whose cost is on no line of its others.
    let alone = MadeUp.cell("bare", "emulate", cost: 400, noise: 0)
    let breakEven = try #require(BreakEven(cells: one + [alone] + other))
    #expect(breakEven == BreakEven(cells: one + other))
    #expect(breakEven.models.allSatisfy { $0.fittedOn.count == 8 && !$0.fittedOn.contains(alone.id) })
    #expect(breakEven.crossings == [] && breakEven.leftOut == [])
  }

  @Test("A policy that shares too few guests with the others is left out and named")
  func leftOut() throws {
    let fixed = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    let few = cells("manual", perWrite: 100, perExit: 100).prefix(2)
    let breakEven = try #require(BreakEven(cells: fixed + few))
    #expect(breakEven.leftOut == ["manual"] && breakEven.models.map(\.policy) == ["passthrough", "emulate"])
    #expect(breakEven.winners == BreakEven(cells: fixed)?.winners)
    #expect(
      MadeUp.report(fixed + few).text.contains(
        "Not compared, because too few of the same guests were measured: manual."))
  }

  @Test("A crossing that lies beyond what was measured is not named, and the one in front stays the winner")
  func extrapolated() throws {
    // They would cost the same at 20 writes; 8 are the most that were measured.
    let all = noisy(0.001, otherWrite: 740)
    let breakEven = try #require(BreakEven(cells: all))
    #expect(breakEven.withheld == nil && breakEven.crossings == [])
    #expect(Set(breakEven.winners.map(\.policy)) == ["emulate"] && breakEven.winners.allSatisfy { $0.to == nil })
    #expect(MadeUp.report(all).text.contains("for up to 8 writes per entry, the most that was measured"))
  }

  @Test("A crossing needs a measured pair on either side that says the same as the models")
  func confirmed() throws {
    let all = noisy(0.001)
    let fitted = [Known<PolicyName>("passthrough"), "emulate"].map { policy in
      BreakEven.Candidate(policy, all.filter { $0.policy == policy })
    }
    func isMeasured(_ below: Known<PolicyName>, _ above: Known<PolicyName>, at writes: Double) -> Bool {
      BreakEven.isMeasured(
        BreakEven.Crossing(
          below: below, above: above, atNoExit: writes, atNoExitInterval: nil, perExit: 0, perExitInterval: nil),
        fitted, isExact: false, seed: 1)
    }
    #expect(isMeasured("emulate", "passthrough", at: 2))
    #expect(!isMeasured("passthrough", "emulate", at: 2), "the cells say the opposite")
    #expect(!isMeasured("emulate", "passthrough", at: 9), "no pair above")
    #expect(!isMeasured("emulate", "passthrough", at: 0), "no pair below")
  }

  @Test("Two policies cross where their costs are equal, and the winner changes there")
  func crossing() throws {
    // 400 cycles an exit against 800 cycles a write: half a write for each exit.
    let all = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    let breakEven = try #require(BreakEven(cells: all))
    let crossing = try #require(breakEven.crossings.first)
    #expect(breakEven.crossings.count == 1)
    #expect(crossing.below == "emulate" && crossing.above == "passthrough")
    #expect(near(crossing.atNoExit, 0) && near(crossing.perExit, 0.5))
    let atFour = breakEven.winners.filter { $0.exits == 4 }
    #expect(atFour.map(\.policy) == ["emulate", "passthrough"])
    #expect(near(try #require(atFour[0].to), 2) && near(atFour[1].from, 2) && atFour[1].to == nil)
    let atNone = breakEven.winners.filter { $0.exits == 0 }
    #expect(atNone.map(\.policy) == ["passthrough"])
  }

  @Test("Three policies share the writes among them, and one that never wins is not named")
  func envelope() {
    func model(_ policy: Known<PolicyName>, _ base: Double, _ perWrite: Double) -> BreakEven.Model {
      BreakEven.Model(policy: policy, base: base, perWrite: perWrite, perExit: 0, fittedOn: [])
    }
    let models = [model("a", 100, 100), model("b", 300, 50), model("c", 900, 10), model("never", 1000, 90)]
    let winners = BreakEven.winners(models, exits: 0, mostWrites: 20) { _, _ in true }
    #expect(winners.map(\.policy) == ["a", "b", "c"])
    #expect(winners.map(\.from) == [0, 4, 15])
    #expect(winners.map(\.to) == [4, 15, nil])
    let fewer = BreakEven.winners(models, exits: 0, mostWrites: 10) { _, _ in true }
    #expect(fewer.map(\.policy) == ["a", "b"] && fewer.map(\.to) == [4, nil], "15 writes were not measured")
    let unmeasured = BreakEven.winners(models, exits: 0, mostWrites: 20) { $0 == "a" && $1 == "b" }
    #expect(unmeasured.map(\.policy) == ["a", "b"])
  }

  @Test("Policies that differ by no more than noise are called equal, not winners")
  func ties() throws {
    let all =
      cells("passthrough", perWrite: 500, perExit: 2400) + cells("manual", perWrite: 501, perExit: 2399)
      + cells("emulate", perWrite: 1300, perExit: 3000)
    let breakEven = try #require(BreakEven(cells: all))
    let atOne = breakEven.winners.filter { $0.exits == 1 }
    #expect(atOne.map(\.policy) == ["passthrough"])
    #expect(atOne.first?.equals == ["manual"])
    #expect(!breakEven.crossings.contains { [$0.below, $0.above].map(\.text).sorted() == ["manual", "passthrough"] })
  }

  @Test("bare and chatty count as guests that do not write")
  func otherWorkloads() throws {
    let all = ["passthrough", "emulate"].flatMap { policy in
      [
        MadeUp.cell("bare", policy, cost: 700, noise: 0),
        MadeUp.cell("chatty", policy, cost: 2700, noise: 0, exits: 1),
        MadeUp.cell("ibrs", policy, cost: 1700, noise: 0, msr: "0x48", writes: 2),
      ]
    }
    let breakEven = try #require(BreakEven(cells: all))
    #expect(near(breakEven.models[0].perExit, 2000) && near(breakEven.models[0].perWrite, 500))
    // Three cells determine three coefficients, and none is left to check with.
    #expect(breakEven.checks.isEmpty)
    #expect(breakEven.winners.isEmpty && breakEven.crossings.isEmpty)
    let report = MadeUp.report(all, environment: BenchEnvironment(countsInstructions: true))
    #expect(report.text.contains("No winner is named: the model could not be checked"))
  }

  @Test("Where cells contradict the winner both are named, and where the winner holds nothing is said")
  func contradiction() throws {
    var all = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    // At 4 exits and 8 writes the model names passthrough; here emulate does something clever.
    let index = try #require(all.firstIndex { $0.policy == "emulate" && $0.writesPerEntry == 8 })
    all[index].rounds = all[index].rounds.map { $0.map { $0 * 0.6 } }
    // The fit moves with it; the models are set here, so that only the cells speak.
    let winners = [BreakEven.Winner(exits: 4, policy: "passthrough", equals: [], from: 0, to: nil, toInterval: nil)]
    let found = BreakEven.contradictions(all, winners, isExact: false, seed: 1)
    #expect(found.map(\.named) == ["passthrough"] && found.map(\.cheaper) == ["emulate"])
    let first = try #require(found.first)
    #expect(first.exits == 4 && first.writes == 8 && first.ratio > 1.02 && first.interval.lower > 1)
    let own = try #require(BreakEven(cells: all))
    let report = try MadeUp.report(all).replacing(
      "breakEven",
      with: BreakEven(
        models: own.models, checks: own.checks, crossings: own.crossings, winners: winners, contradictions: found,
        leftOut: [], withheld: nil))
    #expect(
      report.text.replacing("\n      ", with: " ").contains(
        "measured at 4 exits, 8 writes: emulate costs less than passthrough, which the model names"))
    let other = [BreakEven.Winner(exits: 4, policy: "emulate", equals: [], from: 0, to: nil, toInterval: nil)]
    #expect(BreakEven.contradictions(all, other, isExact: false, seed: 1) == [])
  }

  @Test("A cell that costs more within its noise contradicts nothing")
  func noContradiction() {
    let all = [
      MadeUp.cell("ibrs", "passthrough", cost: 1030, noise: 0.4, msr: "0x48", writes: 2),
      MadeUp.cell("ibrs", "emulate", cost: 1000, noise: 0.4, msr: "0x48", writes: 2),
    ]
    let winners = [BreakEven.Winner(exits: 0, policy: "passthrough", equals: [], from: 0, to: nil, toInterval: nil)]
    #expect(BreakEven.contradictions(all, winners, isExact: false, seed: 1) == [])
  }

  /// Noisy cells of two policies that cross at two writes without an exit.
  private func noisy(
    _ noise: Double, rounds: Int = 8, base: Double = 1500, otherWrite: Double = 1100, suffix: String = ""
  ) -> [CellRecord] {
    [("passthrough" + suffix, base, 700.0), ("emulate" + suffix, 700, otherWrite)].flatMap { policy, base, perWrite in
      [(0, 0), (1, 0), (2, 0), (4, 0), (8, 0), (2, 1), (4, 2)].map { writes, exits in
        MadeUp.cell(
          "ibrs", policy, cost: base + perWrite * Double(writes) + 2000 * Double(exits), noise: noise, rounds: rounds,
          msr: "0x48", writes: writes, exits: exits)
      }
    }
  }

  @Test("A crossing has an interval that holds it and grows with the noise; after few rounds none is named")
  func intervals() throws {
    func interval(_ noise: Double, rounds: Int = 8) throws -> Interval? {
      let breakEven = try #require(BreakEven(cells: noisy(noise, rounds: rounds)))
      return try #require(breakEven.crossings.first).atNoExitInterval
    }
    let quiet = try #require(try interval(0.01))
    let loud = try #require(try interval(0.1))
    #expect(quiet.lower <= 2.05 && quiet.upper >= 1.95 && quiet.width > 0)
    #expect(loud.width > quiet.width)
    let few = noisy(0.01, rounds: RatioEstimate.fewestRounds - 1)
    #expect(BreakEven(cells: few)?.crossings == [])
    // Without noise the figures decide, after however few rounds.
    let counted = try #require(BreakEven(cells: few, isExact: true)?.crossings.first)
    #expect(counted.below == "emulate" && counted.atNoExitInterval == nil)
    let winner = try #require(BreakEven(cells: noisy(0.01))?.winners.first { $0.exits == 0 })
    let bounds = try #require(winner.toInterval)
    #expect(winner.policy == "emulate" && bounds.contains(winner.to ?? 0))
    #expect(MadeUp.report(noisy(0.01)).text.contains("emulate costs less than passthrough below"))
  }

  @Test("Policies whose writes the noise does not tell apart do not cross")
  func noCrossing() throws {
    // One policy's writes cost 6 % less. Of 20 such pairs the intervals may be wrong about a few.
    func crossings(_ noise: Double) throws -> Int {
      try (1...20).count { pair in
        let all = noisy(noise, base: 900, otherWrite: 745, suffix: " \(pair)")
        return try !#require(BreakEven(cells: all)).crossings.isEmpty
      }
    }
    let (quiet, loud) = (try crossings(0.001), try crossings(0.6))
    #expect(quiet == 20 && loud <= 6, "\(loud) of 20")
  }

  @Test("Winners that the noise does not tell apart are called equal")
  func equalWithinNoise() throws {
    // One policy costs 4 % less than the other: more than a tie, less than this noise. Of 20 such pairs the intervals
    // may be wrong about a few.
    func policy(_ name: String, _ factor: Double, _ noise: Double) -> [CellRecord] {
      [(0, 0), (1, 0), (2, 0), (4, 0), (2, 1), (4, 2)].map { writes, exits in
        MadeUp.cell(
          "ibrs", name, cost: factor * (1000 + 900 * Double(writes) + 2000 * Double(exits)), noise: noise, msr: "0x48",
          writes: writes, exits: exits)
      }
    }
    func pairs(_ noise: Double) throws -> (named: Int, equal: Int) {
      let all = try (1...20).map { pair in
        try #require(BreakEven(cells: policy("dear \(pair)", 1.04, noise) + policy("cheap \(pair)", 1, noise)))
      }.filter { $0.withheld == nil }
      let equal = all.count { $0.winners.first?.equals != [] }
      return (all.count - equal, equal)
    }
    #expect(try pairs(0.001) == (20, 0))
    let loud = try pairs(0.25)
    #expect(loud.named <= 8 && loud.equal >= 3, "\(loud)")
  }

  @Test("Stand-in MSRs and neighbours are kept apart")
  func groups() throws {
    let own = cells("passthrough", perWrite: 500, perExit: 2400) + cells("emulate", perWrite: 1300, perExit: 2000)
    let others =
      Array(cells("passthrough", perWrite: 9000, perExit: 9000, msr: "0x3b").prefix(4))
      + [MadeUp.cell("chatty", "emulate", cost: 90_000, beside: .sameCPU, exits: 1)]
    #expect(BreakEven(cells: own + others) == BreakEven(cells: own))
  }

  @Test("Without two policies, or without exits that vary, there is no break-even")
  func tooLittle() {
    #expect(BreakEven(cells: []) == nil)
    #expect(BreakEven(cells: cells("emulate", perWrite: 1300, perExit: 2000)) == nil)
    let flat = (cells("passthrough", perWrite: 1, perExit: 1) + cells("emulate", perWrite: 2, perExit: 1))
      .filter { $0.exitsPerEntry == 0 }
    #expect(BreakEven(cells: flat) == nil)
  }
}
