import Registers
import Testing

@testable import Measurement

/// The rules about what a trap and a system call cost (C1, C2, C3, C9), on cells that are made for each outcome.
struct ClaimTests {
  private typealias Cell = CellRecord

  private func verdict(
    _ claim: BenchReport.Claim, _ cells: [CellRecord], host: HostReport = MadeUp.host()
  ) -> BenchReport.Verdict {
    MadeUp.report(cells, host: host).verdict(on: claim)
  }

  /// A system call of 2018, an empty one of today, and the primitives that stand beside them.
  private func calls(
    entry: Double = 1100, write: Double = 520, trap: Double = 1400, empty: Double = 90, heavy: Double = 24_000,
    noise: Double = 0.005
  ) -> [CellRecord] {
    let loop = MadeUp.emptyLoop
    return [loop] + MadeUp.isolated(entry: entry, write: write, trap: trap, noise: noise) + [
      MadeUp.cell("bare", "passthrough", cost: empty + 2, noise: noise),
      MadeUp.cell(
        "ibrs-zero", "passthrough", cost: empty + 2 + 2 * trap, noise: noise, msr: "0x48", writes: 2, place: .kvm,
        over: "bare/syscall/passthrough"),
      MadeUp.cell("out", "none", "passthrough", cost: heavy + 2, exits: 1, minus: loop.id),
    ]
  }

  /// A real kernel's system call: that does not write, and that writes IBRS to the register.
  private func kernels(plain: Double, writing: Double, isolated: Bool) -> [CellRecord] {
    [
      MadeUp.kernel(.passthrough, told: .retpoline, cost: plain, isolated: isolated),
      MadeUp.kernel(.passthrough, told: .ibrs, cost: writing, isolated: isolated),
    ]
  }

  // MARK: C1

  @Test("C1 holds where the light exit and the system call of 2018 lie within 500 to 3000 cycles")
  func c1Holds() {
    let verdict = verdict(.c1, calls())
    #expect(verdict.outcome == .holds)
    #expect(
      verdict.figures.map(\.name).prefix(2) == [
        "a trap that KVM ends (a write of 0 to SPEC_CTRL)", "a system call as in 2018 (isolated)",
      ])
    #expect(abs(verdict.figures[0].value - 1400) < 10 && abs(verdict.figures[1].value - 1100) < 10)
    #expect(verdict.reason.hasSuffix("because an estimate made in a mail is taken to a factor of two."))
  }

  @Test("C1: an exit to the VMM and an empty entry of today stand beside it and decide nothing")
  func c1Beside() {
    for (empty, heavy) in [(20, 2000), (90, 24_000), (700, 90_000)] as [(Double, Double)] {
      let verdict = verdict(.c1, calls(empty: empty, heavy: heavy))
      #expect(verdict.outcome == .holds && verdict.reason.contains("also measured: an empty entry (syscall)"))
      #expect(verdict.reason.contains("an exit to the VMM (out)"))
    }
  }

  @Test("C1 does not hold where the trap or the system call lies outside, and the reason gives both")
  func c1DoesNotHold() {
    #expect(verdict(.c1, calls(trap: 9000)).outcome == .doesNotHold)
    let cheap = verdict(.c1, calls(entry: 150))
    #expect(cheap.outcome == .doesNotHold && cheap.reason.hasPrefix("Not all of these lie within the range: a trap"))
    #expect(verdict(.c1, calls(entry: 500, noise: 0.2)).outcome == .notDecided)
  }

  @Test("C1 judges the system call of a real kernel that isolates page tables, and shows one that does not")
  func c1Kernel() {
    let isolated = verdict(.c1, calls() + kernels(plain: 4000, writing: 5000, isolated: true))
    #expect(
      isolated.outcome == .doesNotHold && isolated.reason.contains("getppid of a kernel with isolated page tables")
    )
    let open = verdict(.c1, calls() + kernels(plain: 150, writing: 1200, isolated: false))
    #expect(
      open.outcome == .holds && open.reason.contains("also measured: ")
        && open.reason.contains("getppid of a kernel without isolated page tables"))
  }

  @Test("C1 takes the stand-in, then CPUID, for the trap where KVM does not end writes of 0 to the register")
  func c1StandIn() {
    let loop = MadeUp.emptyLoop.id
    let rest = calls().filter { $0.workload != "ibrs-zero" }
    let standIn = MadeUp.cell(
      "wrmsr", "none", "passthrough", cost: 1502, msr: "0x3b", writes: 1, place: .kvm, minus: loop)
    let cpuid = MadeUp.cell("cpuid", "none", "passthrough", cost: 1302, place: .kvm, minus: loop)
    #expect(verdict(.c1, rest + [standIn]).figures[0].name.contains("IA32_TSC_ADJUST, which stands in"))
    #expect(verdict(.c1, rest + [cpuid]).figures[0].name == "a trap that KVM ends (CPUID)")
    #expect(verdict(.c1, rest).outcome == .notMeasured)
  }

  @Test("C1 and C2 need a system call as in 2018: a host without PCID cannot make one, and the reason says so")
  func noIsolatedCall() {
    let absent = MadeUp.absent("bare", "isolated", "emulate", "guests of this KVM have no PCID")
    for claim in [BenchReport.Claim.c1, .c2] {
      let rest = calls().filter { $0.entry != "isolated" }
      let refused = verdict(claim, rest + [absent])
      #expect(refused.outcome == .cannotBeTested && !refused.figures.isEmpty)
      #expect(refused.reason.contains("guests of this KVM have no PCID); measured: "))
      #expect(verdict(claim, rest).outcome == .notMeasured)
      // A real kernel of that kind is one, too.
      let kernel = verdict(claim, rest + [absent] + kernels(plain: 1200, writing: 2000, isolated: true))
      #expect(kernel.outcome == .holds, "\(kernel.reason)")
    }
  }

  // MARK: C2

  @Test(
    "C2 holds where two traps add to a system call of 2018 between once and four times its cost",
    arguments: [(1100.0, "holds"), (2100, "holds"), (500, "doesNotHold"), (2500, "doesNotHold")])
  func c2(trap: Double, outcome: String) {
    let verdict = verdict(.c2, calls(trap: trap))
    #expect(verdict.outcome.rawValue == outcome, "\(verdict.reason)")
    #expect(verdict.figures.first?.name == "as in 2018 (isolated)")
  }

  @Test("C2 shows the empty entry, the VMM's exits, and the entry for which it is 3: one that costs as much as a trap")
  func c2Beside() {
    let vmm = MadeUp.cell(
      "ibrs", "isolated", "emulate", cost: 50_000, msr: "0x48", writes: 2, place: .vmm, over: "bare/isolated/emulate")
    let verdict = verdict(.c2, calls() + [vmm])
    #expect(verdict.outcome == .holds)
    #expect(
      verdict.figures.map(\.name) == [
        "as in 2018 (isolated)", "an empty entry (syscall)", "with the VMM ending the writes (isolated)",
        "for 3 times, an entry of",
      ])
    #expect(verdict.figures[1].value > 30 && abs(verdict.figures[3].value - 1400) < 10)
    #expect(verdict.reason.contains("KVM ends writes of 0 to the register itself"))
  }

  @Test("C2 judges a real kernel with isolation by what two traps add to its call, and shows one without beside it")
  func c2Kernel() {
    let isolated = verdict(.c2, calls() + kernels(plain: 1400, writing: 2400, isolated: true))
    #expect(isolated.outcome == .holds && isolated.figures[1].name == "getppid of a kernel with isolated page tables")
    #expect(abs(isolated.figures[1].value - 3) < 0.05)
    #expect(verdict(.c2, calls() + kernels(plain: 200, writing: 2400, isolated: true)).outcome == .doesNotHold)
    #expect(verdict(.c2, calls() + kernels(plain: 200, writing: 2400, isolated: false)).outcome == .holds)
  }

  @Test("C2 counts system calls alone as entries")
  func c2SystemCalls() {
    let cells = calls().map { cell in
      var cell = cell
      if cell.entry == "syscall" {
        (cell.entry, cell.id) = ("breakpoint", cell.id.replacing("syscall", with: "breakpoint"))
      }
      return cell
    }
    #expect(!verdict(.c2, cells).reason.contains("breakpoint") && verdict(.c2, cells).outcome == .holds)
  }

  // MARK: C3

  @Test("C3 is a factor of two, decided by the light exit at the entry of 2018, with the heavy one beside it")
  func c3() {
    let vmm = MadeUp.cell("ibrs", "isolated", "emulate", cost: 50_000, msr: "0x48", writes: 2, place: .vmm)
    let holds = verdict(.c3, calls() + [vmm])
    #expect(
      holds.outcome == .holds
        && holds.figures.map(\.name) == ["by the entry isolated", "with the VMM ending the writes"])
    #expect(verdict(.c3, calls(write: 50)).outcome == .doesNotHold)
    #expect(verdict(.c3, calls() + kernels(plain: 800, writing: 700, isolated: true)).outcome == .doesNotHold)
    #expect(verdict(.c3, calls() + kernels(plain: 1200, writing: 2400, isolated: true)).outcome == .holds)
  }

  @Test("C3 is about writes that reach hardware without IBRS_ALL")
  func c3Hardware() {
    let with = verdict(.c3, calls(), host: MadeUp.host(ibrsAll: true))
    #expect(with.outcome == .cannotBeTested && with.reason.contains("this host has it; here it holds: "))
    let trapped = calls().map { cell in
      var cell = cell
      if cell.place == .hardware { cell.place = .vmm }
      return cell
    }
    #expect(verdict(.c3, trapped).outcome == .cannotBeTested)
    let absent = MadeUp.absent("ibrs", "syscall", "passthrough", msr: "0x48", writes: 2, "guests have no such register")
    let refused = verdict(.c3, [absent])
    #expect(refused.outcome == .cannotBeTested && refused.reason.contains("guests have no such register"))
  }

  // MARK: C9

  @Test("C9 is decided by the entry of 2018 where no kernel was measured, and gives both costs and their ratio")
  func c9() {
    // 2000 cycles with both writes in them, 3800 with two exits: the figures of 2018.
    let holds = verdict(.c9, calls(entry: 1600, write: 200, trap: 1100))
    #expect(
      holds.outcome == .holds
        && holds.reason.contains("measured with the entry isolated, two traps in place of two writes".capitalised))
    #expect(abs(holds.figures[0].value - 1.9) < 0.03)
    #expect(abs(holds.figures[1].value - 2000) < 20 && abs(holds.figures[2].value - 3800) < 30)
    #expect(verdict(.c9, calls(entry: 1600, write: 200, trap: 500)).outcome == .doesNotHold)
    #expect(verdict(.c9, calls(entry: 300, write: 100, trap: 1100)).outcome == .doesNotHold)
  }

  @Test("C9 is decided by a real kernel with isolation where one was measured")
  func c9Kernel() {
    let small = calls(entry: 300, write: 100, trap: 1100)
    let verdict = verdict(.c9, small + kernels(plain: 1800, writing: 2000, isolated: true))
    #expect(verdict.outcome == .holds && verdict.reason.hasPrefix("Measured with a real kernel, two traps"))
    #expect(abs(verdict.figures[0].value - 2) < 0.05)
    #expect(self.verdict(.c9, small + kernels(plain: 1800, writing: 2000, isolated: false)).outcome == .doesNotHold)
    #expect(self.verdict(.c9, small + kernels(plain: 800, writing: 600, isolated: true)).outcome == .doesNotHold)
  }

  // MARK: What they need

  @Test("No claim is decided by a clock that counts instructions, nor by a software KVM, and figures have their unit")
  func clock() {
    for claim in BenchReport.Claim.allCases {
      #expect(claim.rule.needs.contains(.clockOfTime) && claim.rule.needs.first == .hardwareVirtualisation, "\(claim)")
      #expect(claim.rule.isAboutPaths == [.c4, .c5, .c8].contains(claim), "\(claim)")
    }
    let cells = calls(noise: 0) + kernels(plain: 1400, writing: 2400, isolated: true)
    let report = MadeUp.report(cells, environment: BenchEnvironment(countsInstructions: true))
    for claim in [BenchReport.Claim.c1, .c2, .c3, .c9] {
      let verdict = report.verdict(on: claim)
      #expect(verdict.outcome == .cannotBeTested && !verdict.figures.isEmpty)
      #expect(verdict.figures.allSatisfy { ["instructions", "x"].contains($0.unit) })
      #expect(
        verdict.reason.hasPrefix(
          "The claim is about time, but this host's clock counts instructions; an instruction count does not decide that: "
        ))
      #expect(!verdict.reason.contains("holds") && !verdict.reason.contains("path lengths"))
      let soft = MadeUp.report(calls(), host: MadeUp.host(module: "kvm_pvm")).verdict(on: claim)
      #expect(
        soft.outcome == .notDecided && soft.reason.hasPrefix("The claim is about VMX and SVM, but kvm_pvm uses neither")
      )
    }
  }

  @Test("Each rule names a tolerance and why it is that, and shares its error out over its comparisons")
  func tolerances() {
    for claim in BenchReport.Claim.allCases { #expect(claim.rule.tolerance.contains(", because "), "\(claim)") }
    let comparisons = { (claim: BenchReport.Claim, cells: [CellRecord]) in claim.rule.comparisons(MadeUp.record(cells))
    }
    let kernels = kernels(plain: 1400, writing: 2400, isolated: true)
    #expect(comparisons(.c1, calls()) == 3)
    for (claim, alone, withKernel) in [(BenchReport.Claim.c2, 1, 3), (.c3, 1, 3), (.c9, 1, 2)] {
      #expect(comparisons(claim, calls()) == alone && comparisons(claim, calls() + kernels) == withKernel, "\(claim)")
    }
  }
}
