import Registers
import Testing

@testable import Measurement

/// The rules about KVM's own ways to switch the register (C4 and C5), on cells that are made for each outcome.
struct ModeClaimTests {
  private typealias Cell = CellRecord
  /// The verdict on cells of a host in a mode, beside others of the same host in another.
  private func across(
    _ claim: BenchReport.Claim, _ mode: String, _ cells: [CellRecord], _ otherMode: String, _ others: [CellRecord],
    isExact: Bool = false
  ) -> BenchReport.Verdict {
    MadeUp.report(
      cells, host: MadeUp.host(switching: mode), environment: BenchEnvironment(countsInstructions: isExact)
    ) { $0.otherModes = [MadeUp.record(others, host: MadeUp.host(switching: otherMode), environment: $0.environment)] }
    .verdict(on: claim)
  }

  // MARK: C4

  /// Guests that exit under two policies: pairs of costs.
  private func models(_ costs: [(manual: Double, autoload: Double)], noise: Double = 0.005) -> [CellRecord] {
    costs.enumerated().flatMap { index, cost in
      writers("manual", [cost.manual], noise: noise, from: index)
        + writers("autoload", [cost.autoload], noise: noise, from: index)
    }
  }

  /// A guest that writes and exits, of each of these costs, with another number of exits each.
  private func writers(_ policy: String, _ costs: [Double], noise: Double = 0.002, from first: Int = 0) -> [CellRecord]
  {
    costs.enumerated().map { index, cost in
      MadeUp.cell(
        "ibrs", policy, cost: cost, noise: noise, rounds: 12, msr: "0x48", writes: 2, exits: first + index + 1,
        place: .hardware)
    }
  }

  @Test("C4 compares KVM by hand with VMX's lists, of two results of one host, whichever is judged")
  func c4() {
    func hand(_ hand: [Double], lists: [Double]) -> [BenchReport.Verdict] {
      let (byHand, byLists) = (writers("passthrough", hand), writers("passthrough", lists))
      return [
        across(.c4, "byHand", byHand, "lists", byLists), across(.c4, "lists", byLists, "byHand", byHand),
      ]
    }
    for verdict in hand([4000, 6000], lists: [4500, 6005]) {
      #expect(
        verdict.outcome == .holds && verdict.reason.contains(" and slower by more than 2 % in 0 of 2")
      )
    }
    for verdict in hand([4000, 6600], lists: [4500, 6000]) { #expect(verdict.outcome == .doesNotHold) }
    for verdict in hand([4000, 6000], lists: [4000, 6000]) { #expect(verdict.outcome == .doesNotHold) }
  }

  @Test("C4 is not decided by instructions: they show KVM's own code, and neither the lists nor RDMSR and WRMSR")
  func c4Instructions() {
    // With one exit and with two.
    func counted(_ hand: [Double], lists: [Double]) -> BenchReport.Verdict {
      across(
        .c4, "lists", writers("passthrough", lists, noise: 0), "byHand", writers("passthrough", hand, noise: 0),
        isExact: true)
    }
    let verdict = counted([4014, 8038], lists: [4000, 8000])
    #expect(verdict.outcome == .cannotBeTested && verdict.figures.count == 2)
    #expect(
      verdict.reason.contains(
        "; KVM's own code takes 14 to 19 more instructions per exit by hand than with the lists, in 2 pairs; the lists "
          + "themselves are microcode"))
    #expect(verdict.reason.contains("an instruction count does not include") && !verdict.reason.contains("hold"))
    #expect(counted([4000], lists: [4045]).reason.contains("takes 45 fewer instructions per exit by hand"))
    #expect(counted([4000, 8000], lists: [4045, 7990]).reason.contains("takes -45 to 5 more instructions per exit"))
  }

  @Test("C4 is not decided by the model, which is shown as what it is, nor by the lists alone")
  func c4Model() {
    let model = MadeUp.outcome(.c4, models([(4000, 4500)]))
    #expect(model.outcome == .cannotBeTested && model.figures.count == 1)
    #expect(model.reason.contains("autoload models them with four ioctls around each KVM_RUN"))
    #expect(
      model.reason.contains("here it holds: by hand is faster in 1") && model.reason.contains("two ioctls against four")
    )
    let exact = MadeUp.report(models([(4000, 4500)], noise: 0), environment: BenchEnvironment(countsInstructions: true))
    #expect(exact.verdict(on: .c4).reason.contains("judged by path lengths, the model holds: by hand"))
    let lists = MadeUp.outcome(.c4, writers("passthrough", [4000]), host: MadeUp.host(switching: "lists"))
    #expect(lists.outcome == .notMeasured && lists.reason.contains("--other-mode"))
    #expect(
      MadeUp.outcome(.c4, models([(4000, 4500)]).filter { $0.policy == "manual" }).reason.contains(
        "under autoload was not measured"))
  }

  // MARK: C5

  /// The bystander under three policies, alone and beside a writer.
  private func bystander(manual: Double, emulate: Double, beside: Double, noise: Double = 0.003) -> [CellRecord] {
    [
      MadeUp.cell("chatty", "passthrough", cost: 2000, noise: noise, exits: 1),
      MadeUp.cell("chatty", "manual", cost: 2000 * manual, noise: noise, exits: 1),
      MadeUp.cell("chatty", "emulate", cost: 2000 * emulate, noise: noise, exits: 1),
      MadeUp.cell("chatty", "passthrough", cost: 2200, noise: noise, beside: .otherCPU, exits: 1),
      MadeUp.cell("chatty", "emulate", cost: 2200 * beside, noise: noise, beside: .otherCPU, exits: 1),
    ]
  }

  /// The bystander under KVM in one mode.
  private func bystander(_ passthrough: Double, emulate: Double) -> [CellRecord] {
    [("passthrough", passthrough), ("emulate", emulate)].map {
      MadeUp.cell("chatty", $0.0, cost: $0.1, noise: 0.002, rounds: 12, exits: 1)
    }
  }

  @Test("C5 compares KVM's own modes for a bystander: the restore has to be felt, and emulation not")
  func c5Modes() {
    for other in ["maskAndShadow", "lists"] {
      func judge(restored: Double, emulated: Double) -> BenchReport.Verdict {
        across(.c5, "byHand", bystander(restored, emulate: restored), other, bystander(2000, emulate: emulated))
      }
      #expect(judge(restored: 2160, emulated: 2000).outcome == .holds)
      #expect(judge(restored: 2000, emulated: 2000).outcome == .doesNotHold)
      #expect(judge(restored: 2160, emulated: 2200).outcome == .doesNotHold)
      #expect(judge(restored: 2160, emulated: 2000).reason.contains("KVM's conditional restore a bystander costs 1.08"))
    }
  }

  @Test("C5 is not decided by instructions: they show KVM's own code, and not the restore's RDMSR and WRMSR")
  func c5Instructions() {
    let verdict = across(
      .c5, "maskAndShadow", bystander(3408, emulate: 3403), "byHand", bystander(3411, emulate: 3403), isExact: true)
    #expect(verdict.outcome == .cannotBeTested)
    #expect(verdict.reason.contains("with KVM's conditional restore, 340"), "\(verdict.reason)")
    #expect(verdict.reason.contains("which an instruction count does not include") && !verdict.reason.contains("hold"))
  }

  @Test("C5 is not possible with one mode, shows the model beside that, and says which values met")
  func c5Model() {
    var host = MadeUp.host(switching: "byHand")
    host.hostSpecCtrl = HostReport.HostBits(value: 1, source: "kernel", kept: 1)
    let verdict = MadeUp.outcome(.c5, bystander(manual: 1.08, emulate: 1, beside: 1), host: host)
    #expect(verdict.outcome == .cannotBeTested && verdict.figures.count == 3)
    #expect(verdict.reason.contains("KVM was measured in one form only (by hand)"))
    #expect(
      verdict.reason.contains(
        "0x0 under passthrough and manual, 0x1 under emulate, and the host's 0x1: under passthrough the two differ"))
    let untold = MadeUp.outcome(
      .c5, bystander(manual: 1.08, emulate: 1, beside: 1), host: MadeUp.host(switching: "byHand"))
    #expect(untold.reason.contains("the host does not report its own value"))
    let open = MadeUp.outcome(.c5, bystander(manual: 1, emulate: 1, beside: 1).filter { $0.policy != "manual" })
    #expect(open.reason.contains("the bystander under manual was not measured"))
  }

  @Test("C5's model says what it would be by its figures, in company too")
  func c5Figures() {
    func told(_ manual: Double, _ emulate: Double, _ beside: Double) -> String {
      MadeUp.outcome(
        .c5, bystander(manual: manual, emulate: emulate, beside: beside), host: MadeUp.host(switching: "byHand")
      ).reason
    }
    #expect(told(1.08, 1, 1).contains("here it holds: "))
    for reason in [told(1, 1, 1), told(1.08, 1.1, 1), told(1.08, 1, 1.2)] {
      #expect(reason.contains("here it does not hold: "))
    }
  }
}
