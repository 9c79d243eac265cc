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
      MadeUp.cell("bare", "isolated", "emulate", cost: 700, noise: noise, rounds: rounds),
      MadeUp.cell(
        "ibrs-zero", "isolated", "passthrough", cost: 700 * ratio, noise: noise, rounds: rounds, msr: "0x48", writes: 2,
        place: .kvm, over: "bare/isolated/emulate"),
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
      // What a host cannot show is said whatever was measured.
      let isPossible = ![.c4, .c5, .c8].contains(verdict.claim)
      #expect(verdict.outcome == (isPossible ? .notMeasured : .cannotBeTested))
      #expect(verdict.figures.isEmpty)
      #expect(verdict.reason.contains("not measured"))
    }
  }

  @Test("A cell that this host refused stands in the reason with its own reason")
  func refused() {
    let absent = MadeUp.absent("bare", "isolated", "emulate", "guests of this KVM have no PCID.")
    let verdict = verdict(.c2, MadeUp.report([MadeUp.cell("bare", "passthrough", cost: 700), absent]))
    #expect(verdict.outcome == .cannotBeTested)
    #expect(verdict.reason.contains("not possible on this host: guests of this KVM have no PCID"))
  }

  @Test("Fewer rounds than an interval needs decide nothing")
  func fewRounds() {
    let verdict = verdict(.c2, MadeUp.report(writers(3, rounds: 3)))
    #expect(verdict.outcome == .notEnoughRounds)
    #expect(
      verdict.reason == "Only 3 rounds were measured, but 95 % confidence needs 5: give --rounds 5, or more --time.")
    #expect(verdict.figures.count == 2)
  }

  @Test("A verdict that shares its confidence out over several ratios needs more rounds than one ratio does")
  func fewRoundsForShares() {
    func retpolines(rounds: Int) -> BenchReport {
      MadeUp.report(
        ["passthrough", "emulate", "shadow"].flatMap { policy in
          [0, 1].map {
            MadeUp.cell("retpoline", policy, cost: 700 + 2000 * Double($0), noise: 0.001, rounds: rounds, exits: $0)
          }
        })
    }
    let few = verdict(.c6, retpolines(rounds: 7))
    #expect(few.outcome == .notEnoughRounds && few.figures.count == 4)
    #expect(
      few.reason == "Only 7 rounds were measured, but 98.75 % confidence needs 8: give --rounds 8, or more --time.")
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
      #expect(verdict.reason == "The claim is about IA32_SPEC_CTRL, but this benchmark is about IA32_KERNEL_GS_BASE.")
    }
    // What an exit costs is the same for every register, and the stand-in has one.
    #expect(verdict(.c1, report).outcome == .holds && verdict(.c1, report).figures[0].name.contains("IA32_TSC_ADJUST"))
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
        "The claim is about VMX and SVM, but kvm_pvm uses neither; here it holds: two writes that KVM"))
    #expect(verdict.reason.contains("software virtualisation (kvm_pvm)"))
    #expect(verdict.reason.contains("inside a virtual machine (KVMKVMKVM)"))
    // Whatever else is missing there.
    for verdict in MadeUp.report([], host: MadeUp.host(module: "kvm_pvm")).verdicts {
      #expect(verdict.outcome == .notDecided, "\(verdict.claim)")
    }
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

  @Test("An interval across the edge of the tolerance decides nothing")
  func across() {
    let verdict = verdict(.c2, MadeUp.report(writers(5, noise: 0.3)))
    #expect(verdict.outcome == .notDecided)
    #expect(verdict.outcome == .notDecided)
  }

  @Test("A verdict names its tolerance, and why it is that")
  func tolerance() {
    let verdict = verdict(.c2, MadeUp.report(writers(3)))
    #expect(verdict.reason.hasSuffix("; the tolerance is \(ClaimRule.c2.tolerance)."))
  }
}
