import Registers
import Rendering
import Testing

@testable import Measurement

/// What all verdicts have in common: what is missing is named, and what the host is is said.
struct VerdictTests {
  private func verdict(_ claim: BenchReport.Claim, _ report: BenchReport) -> BenchReport.Verdict {
    report.verdict(on: claim)
  }

  /// Cells that decide C2 by a ratio.
  private func writers(_ ratio: Double, noise: Double = 0.005, rounds: Int = 8) -> [CellRecord] {
    [
      MadeUp.cell("bare", "passthrough", cost: 700, noise: noise, rounds: rounds),
      MadeUp.cell(
        "ibrs", "passthrough", cost: 700 * ratio, noise: noise, rounds: rounds, msr: "0x3b", writes: 2, place: .kvm,
        over: "bare/syscall/passthrough"),
    ]
  }

  @Test("A report has one verdict for each claim, in order, each in one sentence")
  func all() {
    #expect(MadeUp.whole.verdicts.map(\.claim) == BenchReport.Claim.allCases)
    for verdict in MadeUp.whole.verdicts {
      #expect(verdict.reason.hasSuffix(".") && !verdict.reason.dropLast().contains(". "))
    }
  }

  @Test("Of nothing, nothing can be tested, and each verdict names what is missing")
  func nothing() {
    for verdict in MadeUp.report([]).verdicts {
      #expect(verdict.outcome == .notMeasured)
      #expect(verdict.figures.isEmpty)
      #expect(verdict.reason.contains("not measured"))
    }
  }

  @Test("A cell that this host refused stands in the reason with its own reason")
  func refused() {
    let absent = MadeUp.absent(
      "ibrs", "syscall", "passthrough", msr: "0x3b", writes: 2, place: .kvm, "KVM drops 0x3b in silence.")
    let verdict = verdict(.c2, MadeUp.report([MadeUp.cell("bare", "passthrough", cost: 700), absent]))
    #expect(verdict.outcome == .cannotBeTested)
    #expect(verdict.reason.contains("not possible on this host: KVM drops 0x3b in silence"))
  }

  @Test("Fewer rounds than an interval needs decide nothing")
  func fewRounds() {
    let verdict = verdict(.c2, MadeUp.report(writers(3, rounds: 3)))
    #expect(verdict.outcome == .notEnoughRounds)
    #expect(
      verdict.reason == "Only 3 rounds were measured, and 95 % confidence needs 5: give --rounds 5, or more --time.")
    #expect(verdict.figures.count == 1)
  }

  @Test("A verdict that shares its confidence out over several ratios needs more rounds than one ratio does")
  func fewRoundsForShares() {
    func retpolines(rounds: Int) -> BenchReport {
      MadeUp.report(MadeUp.policies.map { MadeUp.cell("retpoline", $0, cost: 700, noise: 0.001, rounds: rounds) })
    }
    let few = verdict(.c6, retpolines(rounds: 7))
    #expect(few.outcome == .notEnoughRounds && few.figures.count == 4)
    #expect(
      few.reason == "Only 7 rounds were measured, and 98.75 % confidence needs 8: give --rounds 8, or more --time.")
    #expect(verdict(.c6, retpolines(rounds: 8)).outcome == .holds)
  }

  @Test("Precision is reached only after rounds enough for the verdicts")
  func precisionAwaitsVerdicts() {
    func cells(rounds: Int, policies: [String]) -> BenchRecord {
      let bare = MadeUp.cell("bare", "passthrough", cost: 700, noise: 0.001, rounds: rounds)
      return MadeUp.record(
        [bare]
          + policies.map { MadeUp.cell("retpoline", $0, cost: 700, noise: 0.001, rounds: rounds, over: bare.id) })
    }
    // C1 shares its error out over three figures, whatever the policies.
    #expect(!cells(rounds: 5, policies: ["passthrough", "emulate"]).reachesPrecision)
    #expect(cells(rounds: 7, policies: ["passthrough", "emulate"]).reachesPrecision)
    #expect(!cells(rounds: 7, policies: MadeUp.policies).reachesPrecision)
    #expect(cells(rounds: 8, policies: MadeUp.policies).reachesPrecision)
  }

  @Test("A benchmark about another register decides no claim about what is done with writes of SPEC_CTRL")
  func otherRegister() {
    let other = BenchReport.Subject(.kernelGSBase)
    let cells = MadeUp.whole.record.cells.map { cell in
      var cell = cell
      if cell.msr == "0x48" { cell.msr = other.index }
      return cell
    }
    let report = MadeUp.report(cells, msr: other)
    for verdict in report.verdicts where ![.c1, .c2].contains(verdict.claim) {
      #expect(verdict.outcome == .cannotBeTested && verdict.figures.isEmpty)
      #expect(verdict.reason == "The claim is about IA32_SPEC_CTRL, and this benchmark is about IA32_KERNEL_GS_BASE.")
    }
    // What an exit costs is the same for every register; C2 is decided on the stand-in, and shows no other register's
    // writes.
    #expect(verdict(.c1, report).outcome == verdict(.c1, MadeUp.whole).outcome)
    #expect(verdict(.c2, report).outcome == .holds)
    #expect(verdict(.c2, report).figures.map(\.name) == ["two writes ended by KVM / bare"])
    #expect(verdict(.c2, MadeUp.whole).figures.count == 2)
    #expect(report.text.hasPrefix("register  IA32_KERNEL_GS_BASE (0xc0000102)"))
    #expect(MadeUp.whole.text.hasPrefix("host "))
  }

  @Test("Software virtualisation decides no claim about VMX and SVM, and what the rule makes of its figures is said")
  func software() {
    let report = MadeUp.report(writers(3), host: MadeUp.host(module: "kvm_pvm", hypervisor: "KVMKVMKVM"))
    let verdict = verdict(.c2, report)
    #expect(verdict.outcome == .notDecided && !verdict.figures.isEmpty)
    #expect(
      verdict.reason.hasPrefix(
        "The claim is about VMX and SVM, and kvm_pvm has neither; here it holds: with KVM ending"))
    #expect(verdict.reason.contains("software virtualisation (kvm_pvm)"))
    #expect(verdict.reason.contains("inside a virtual machine (KVMKVMKVM)"))
  }

  @Test("A clock that counts instructions cannot test a claim about cycles, and its figures are still shown")
  func instructions() {
    let report = MadeUp.report(writers(3), environment: BenchEnvironment(countsInstructions: true))
    let verdict = verdict(.c2, report)
    #expect(verdict.outcome == .cannotBeTested)
    #expect(
      verdict.reason.hasPrefix(
        "The claim is about time, and this host's clock counts instructions; by path lengths it holds: "))
    #expect(verdict.figures.count == 1)
  }

  @Test(
    "There a figure is its own interval, and decides after one round",
    arguments: [(3.0, "holds"), (9, "does not hold")])
  func oneRoundOfInstructions(ratio: Double, words: String) {
    let report = MadeUp.report(
      writers(ratio, noise: 0, rounds: 1), environment: BenchEnvironment(countsInstructions: true))
    let verdict = verdict(.c2, report)
    #expect(verdict.reason.contains("by path lengths it \(words): "))
    #expect(verdict.figures.map(\.interval) == [Interval(ratio, ratio)])
  }

  @Test("Each outcome has words of its own, in text and in JSON")
  func words() {
    let outcomes = BenchReport.Verdict.Outcome.allCases
    #expect(Set(outcomes.map(\.text)).count == outcomes.count)
    // What results of older versions have in them.
    for word in ["holds", "doesNotHold", "cannotBeTested"] {
      #expect(BenchReport.Verdict.Outcome(rawValue: word) != nil)
    }
  }

  @Test(
    "C2 is a factor of two around 3",
    arguments: [(3.0, "holds"), (5.9, "holds"), (1.2, "doesNotHold"), (7, "doesNotHold")])
  func c2(ratio: Double, outcome: String) {
    #expect(verdict(.c2, MadeUp.report(writers(ratio))).outcome.rawValue == outcome)
  }

  @Test("C2 says by what the kernel was entered where that is no system call")
  func c2Entry() {
    func reason(_ entry: String) -> String {
      let cells = [
        MadeUp.cell("bare", entry, "passthrough", cost: 700),
        MadeUp.cell("ibrs", entry, "passthrough", cost: 2100, msr: "0x3b", writes: 2, place: .kvm),
      ]
      return verdict(.c2, MadeUp.report(cells)).reason
    }
    #expect(
      reason("breakpoint").hasSuffix(
        "; the kernel was entered by breakpoint, not by a system call; KVM ends writes of IA32_TSC_ADJUST, which stands in "
          + "for the register."))
    for entry in ["syscall", "sysenter"] { #expect(!reason(entry).contains("entered by")) }
  }

  @Test("C2 stands on the register itself where KVM ends a guest's writes of 0, and on its stand-in elsewhere")
  func c2OnTheRegister() {
    let bare = MadeUp.cell("bare", "passthrough", cost: 700)
    let standIn = MadeUp.cell("ibrs", "passthrough", cost: 2100, msr: "0x3b", writes: 2, place: .kvm)
    func zero(_ place: CellRecord.Place) -> CellRecord {
      MadeUp.cell("ibrs-zero", "passthrough", cost: 7000, msr: "0x48", writes: 2, place: place)
    }
    let light = verdict(.c2, MadeUp.report([bare, standIn, zero(.kvm)]))
    #expect(light.outcome == .doesNotHold && light.reason.hasSuffix("; KVM ends writes of 0 to the register itself."))
    // Where nothing traps them, they are no light exit.
    #expect(verdict(.c2, MadeUp.report([bare, standIn, zero(.hardware)])).outcome == .holds)
  }

  @Test("An interval across the edge of the tolerance decides nothing")
  func across() {
    let verdict = verdict(.c2, MadeUp.report(writers(6, noise: 0.3)))
    #expect(verdict.outcome == .notDecided)
    #expect(verdict.reason.contains("across the edge"))
  }

  @Test("C2 without a light exit shows the heavy one and is not decided by it")
  func heavyAlone() {
    let cells = [
      MadeUp.cell("bare", "passthrough", cost: 700),
      MadeUp.cell("ibrs", "emulate", cost: 2100, msr: "0x48", writes: 2, place: .vmm, over: "bare/syscall/passthrough"),
    ]
    let verdict = verdict(.c2, MadeUp.report(cells))
    #expect(verdict.outcome == .notMeasured)
    #expect(verdict.figures.map(\.name) == ["two writes ended by the VMM / bare"])
    #expect(verdict.reason.contains("with the writes ended by the VMM the ratio is 3.0"))
  }
}
