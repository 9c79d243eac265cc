import Registers
import Testing

@testable import Measurement

/// The rules about guests that do not write, or believe IBRS_ALL, and about the hardware shadow (C6 to C8), on cells
/// that are made for each outcome.
struct PolicyClaimTests {
  private typealias Cell = CellRecord

  // MARK: C6

  /// The retpoline guest under several policies, without exits and with one.
  private func retpolines(_ costs: [Double], exiting: [Double]? = nil, noise: Double = 0.005) -> [CellRecord] {
    zip(MadeUp.policies, costs).map { MadeUp.cell("retpoline", $0, cost: $1, noise: noise) }
      + zip(MadeUp.policies, exiting ?? costs.map { $0 + 2000 }).map {
        MadeUp.cell("retpoline", $0, cost: $1, noise: noise, exits: 1)
      }
  }

  @Test("C6 holds within the noise, does not beyond it, and is open where the noise could hide a spread")
  func c6() {
    #expect(MadeUp.outcome(.c6, retpolines([700, 700, 700, 700])).outcome == .holds)
    #expect(MadeUp.outcome(.c6, retpolines([700, 706, 697, 700])).outcome == .holds)
    let felt = MadeUp.outcome(.c6, retpolines([700, 700, 770, 700]))
    #expect(felt.outcome == .doesNotHold && felt.reason.contains("with 0 exits autoload / passthrough"))
    #expect(MadeUp.outcome(.c6, retpolines([700, 700, 700, 700], noise: 0.5)).outcome == .notDecided)
  }

  @Test("C6 is about a guest that exits as well: a policy that is felt at exits is felt")
  func c6Exits() {
    let felt = MadeUp.outcome(.c6, retpolines([700, 700, 700, 700], exiting: [2700, 4900, 2700, 2700]))
    #expect(felt.outcome == .doesNotHold && felt.reason.contains("with 1 exit manual / passthrough"))
    let idle = retpolines([700, 700, 700, 700]).filter { $0.exitsPerEntry == 0 }
    let verdict = MadeUp.outcome(.c6, idle)
    #expect(verdict.outcome == .notMeasured && verdict.reason.contains("with 1 exit at each entry"))
  }

  @Test("C6 needs a policy that leaves the register to the guest, and one that does not")
  func c6Kinds() {
    let owners = MadeUp.outcome(.c6, retpolines([700, 700, 700]))
    #expect(
      owners.outcome == .notMeasured && owners.reason.contains("under a policy that does not leave the register to it"))
    let trapped = retpolines([700, 700, 700, 700, 700]).filter { ["emulate", "shadow"].contains($0.policy.text) }
    #expect(MadeUp.outcome(.c6, trapped).outcome == .notMeasured)
    let absent = ["passthrough", "manual", "autoload"].map {
      MadeUp.absent("retpoline", "syscall", $0, "no such register")
    }
    let refused = MadeUp.outcome(.c6, trapped + absent)
    #expect(refused.outcome == .cannotBeTested && refused.reason.contains("no such register"))
  }

  @Test("C6 names the policies under which it could not be measured")
  func c6Policies() {
    let absent = ["manual", "autoload"].map { MadeUp.absent("retpoline", "syscall", $0, "no such register") }
    let measured = retpolines([700, 700, 700, 700, 700]).filter { cell in !absent.contains { $0.policy == cell.policy }
    }
    let reason = MadeUp.outcome(.c6, measured + absent).reason
    #expect(reason.contains("; not possible to measure here: manual, autoload; "))
    #expect(!MadeUp.outcome(.c6, measured).reason.contains("not possible"))
  }

  // MARK: C7

  /// The three guests of C7, without and with 100 branches that cost so many cycles with IBRS clear and set.
  private func faked(clear: Double, set: Double, noise: Double = 0.002) -> [CellRecord] {
    [("ibrs", 2, 1700, clear), ("ibrs-all", 0, 700, set), ("ibrs-forced", 1, 1200, set)].flatMap {
      workload, writes, entry, branches in
      [(0, 0.0), (100, branches)].map { count, added in
        MadeUp.cell(
          workload, "passthrough", cost: entry + added, noise: noise, msr: "0x48", writes: writes, branches: count,
          place: writes > 0 ? .hardware : .none)
      }
    }
  }

  @Test("C7 holds where branches in user mode cost more with IBRS set, whatever the entry itself costs")
  func c7Holds() {
    let verdict = MadeUp.outcome(.c7, faked(clear: 300, set: 3000))
    #expect(verdict.outcome == .holds)
    #expect(verdict.figures.map(\.unit) == ["cycles", "cycles", "x", "x", "x"])
    #expect(abs(verdict.figures[0].value - 3000) < 60 && abs(verdict.figures[1].value - 300) < 60)
    #expect(verdict.figures[2].value < 1 && verdict.figures[3].value > 1.5, "slower only where user mode works")
  }

  @Test("C7 does not hold where they cost the same, and is open where the noise hides it")
  func c7DoesNotHold() {
    #expect(MadeUp.outcome(.c7, faked(clear: 3000, set: 2900)).outcome == .doesNotHold)
    let open = MadeUp.outcome(.c7, faked(clear: 300, set: 330, noise: 0.2))
    #expect(open.outcome == .notDecided)
    #expect(open.reason.contains("too wide to tell"))
  }

  @Test("C7 is about hardware without IBRS_ALL, and needs the register and work in user mode")
  func c7CannotBeTested() {
    let withIt = MadeUp.outcome(.c7, faked(clear: 300, set: 3000), host: MadeUp.host(ibrsAll: true))
    #expect(withIt.outcome == .cannotBeTested && withIt.reason.contains("this host has it"))
    let idle = MadeUp.outcome(.c7, faked(clear: 300, set: 3000).filter { $0.userBranches == 0 })
    #expect(idle.reason.contains("with indirect branches in user mode was not measured"))
    let trapped = MadeUp.outcome(
      .c7,
      faked(clear: 300, set: 3000).map {
        var cell = $0
        if cell.place == .hardware { cell.place = .vmm }
        return cell
      })
    #expect(trapped.outcome == .cannotBeTested)
    let absent = Cell(
      workload: "ibrs", entry: "syscall", policy: "passthrough", msr: "0x48", writesPerEntry: 2, userBranches: 100,
      place: .none, status: .unsupported, reason: "guests have no such register")
    #expect(MadeUp.outcome(.c7, [absent]).outcome == .cannotBeTested)
    #expect(MadeUp.outcome(.c7, [absent]).reason.contains("not possible on this host: guests have no such register"))
  }

  @Test("Claims about hardware without IBRS_ALL are judged alike, whoever says that it has it")
  func hardwareWithoutIBRSAll() {
    func view(_ ibrsAll: Bool?) -> SpeculationView {
      SpeculationView(ibrs: true, stibp: true, ssbd: true, ibpb: true, ibrsAll: ibrsAll, archCapabilities: nil)
    }
    let cells: [BenchReport.Claim: [CellRecord]] = [
      .c3: MadeUp.system2018, .c7: faked(clear: 300, set: 3000),
    ]
    for (claim, cells) in cells {
      // Without the msr driver a process does not see IA32_ARCH_CAPABILITIES, and KVM's word counts.
      for (cpu, kvm, words) in [
        (true, nil, "this host has it"), (nil, true, "this host has it"),
        (nil, nil, "it is unknown whether this host has it"),
      ] as [(Bool?, Bool?, String)] {
        var host = MadeUp.host(ibrsAll: cpu)
        host.speculation.kvm = view(kvm)
        let verdict = MadeUp.outcome(claim, cells, host: host)
        #expect(verdict.outcome == .cannotBeTested && !verdict.figures.isEmpty)
        #expect(verdict.reason.hasPrefix("The claim is about hardware without IBRS_ALL, but \(words); here "))
      }
      var host = MadeUp.host(ibrsAll: nil)
      host.speculation.kvm = view(false)
      #expect(MadeUp.outcome(claim, cells, host: host).outcome == .holds)
    }
  }

  // MARK: C8

  /// The writer under shadow and others.
  private func shadows(_ shadow: Double, place: Cell.Place = .vmm) -> [CellRecord] {
    [
      MadeUp.cell("ibrs", "passthrough", cost: 1700, msr: "0x48", writes: 2, place: .hardware),
      MadeUp.cell("ibrs", "emulate", cost: 5000, msr: "0x48", writes: 2, place: .vmm),
      MadeUp.cell("ibrs", "shadow", cost: shadow, msr: "0x48", writes: 2, place: place),
    ]
  }

  @Test("C8 is not possible where shadow is a model that traps, and says what that costs over the others")
  func c8() {
    let trapped = MadeUp.outcome(.c8, shadows(5100))
    #expect(trapped.outcome == .cannotBeTested && trapped.figures.count == 2)
    #expect(trapped.reason.contains("hardware that shadows the register, but KVM uses none here"))
    #expect(trapped.reason.hasSuffix("the cost of shadow over that of the others is passthrough 3.00, emulate 1.02."))
    #expect(MadeUp.outcome(.c8, Array(shadows(1).dropLast())).reason.contains("under shadow was not measured"))
  }

  @Test("C8 is decided by VMX's mask and shadow where kvm-intel uses them")
  func c8Mask() {
    #expect(
      MadeUp.outcome(.c8, shadows(1690, place: .hardware), host: MadeUp.host(switching: "maskAndShadow")).outcome
        == .holds)
    #expect(
      MadeUp.outcome(.c8, shadows(1900, place: .hardware), host: MadeUp.host(switching: "maskAndShadow")).outcome
        == .doesNotHold)
    // A guest whose writes trap has no hardware shadow, whatever the module says.
    #expect(
      MadeUp.outcome(.c8, shadows(1690), host: MadeUp.host(switching: "maskAndShadow")).outcome == .cannotBeTested)
  }

  @Test("C8 is decided by AMD's V_SPEC_CTRL, in use under passthrough, against the policies that intercept")
  func c8AMD() {
    func amd(_ uses: Bool?) -> HostReport {
      var host = MadeUp.host(module: "kvm_amd")
      host.speculation.cpu.virtualSpecCtrl = uses
      return host
    }
    let verdict = MadeUp.outcome(.c8, shadows(5100), host: amd(true))
    #expect(verdict.outcome == .holds && verdict.figures.count == 2)
    #expect(verdict.reason.hasPrefix("Passthrough uses AMD's V_SPEC_CTRL"))
    let slow = shadows(1500).map { cell in
      var cell = cell
      if cell.policy == "emulate" {
        cell = MadeUp.cell("ibrs", "emulate", cost: 1500, msr: "0x48", writes: 2, place: .vmm)
      }
      return cell
    }
    #expect(MadeUp.outcome(.c8, slow, host: amd(true)).outcome == .doesNotHold)
    for none in [false, nil] as [Bool?] {
      #expect(MadeUp.outcome(.c8, shadows(5100), host: amd(none)).outcome == .cannotBeTested)
    }
  }
}
