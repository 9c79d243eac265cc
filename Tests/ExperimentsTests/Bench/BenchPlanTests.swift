// What a benchmark is going to measure: nothing vanishes in silence, and what makes no sense is said before anything
// runs.

import GuestImages
import Hypervisor
import Measurement
import Testing
import TestSupport

@testable import Experiments

@Suite("The plan of a benchmark", .needsKVM)
struct BenchPlanTests {
  private func cells(canPlaceNeighbours: Bool = true, _ change: (inout BenchSelection) -> Void = { _ in }) throws
    -> [PlannedCell]
  {
    var selection = BenchSelection()
    change(&selection)
    return try BenchPlan(selection, by: try Host.proved().proofs, on: try KVM(), canPlaceNeighbours: canPlaceNeighbours)
      .cells
  }

  @Test("has every workload with every entry that works here under every policy")
  func everything() throws {
    let entries = try Host.proved().entries.filter { $0 != .none }
    let cells = try cells { $0.allEntries = true }.map(\.cell)
    for workload in Workload.Name.allCases where workload.kind == .workload && ![.probe, .phases].contains(workload) {
      for entry in entries {
        // Under the other policies its writes end as those of `ibrs` do.
        for policy in PolicyName.allCases where workload != .ibrsZero || policy == .passthrough {
          #expect(
            cells.contains { $0.workload == workload && $0.entry == entry && $0.policy == policy },
            "\(workload) by \(entry) under \(policy)")
        }
      }
    }
    for entry in Entry.ringSwitching where !entries.contains(entry) {
      let cell = try #require(cells.first { $0.entry == entry }, "an entry that does not work here is listed")
      #expect(cell.status == .unsupported && cell.reason?.contains("ring") == true)
    }
  }

  @Test("takes the proofs as they are given, and makes none of them again")
  func proofs() throws {
    // By these no host is like it: only its last entry works, and no guest holds the register.
    let made = HostProofs(
      abilities: HostAbilities(
        subject: .specCtrl, register: .faulted(wrote: 1), hasIBRSAll: false, canInterceptMSRs: true),
      entries: Entry.ringSwitching.map {
        EntryProof(of: $0, result: $0 == .undefined ? .works : .fails, seen: "made up")
      })
    var selection = BenchSelection()
    selection.workloads = [.bare, .ibrs]
    let cells = try BenchPlan(selection, by: made, on: try KVM(), canPlaceNeighbours: true).cells
    for planned in cells where planned.isSelected && planned.terms.abilities.subject == .specCtrl {
      #expect(planned.terms.abilities == made.abilities)
      let works =
        planned.cell.entry == Entry.undefined
        && [.emulate, .shadow, .adaptive].contains(planned.cell.policy.value)
      #expect((planned.experiment != nil) == works, "\(planned.cell.id)")
    }
    #expect(cells.contains { $0.experiment?.entry == .undefined && $0.isSelected })
    #expect(cells.contains { $0.cell.reason?.hasSuffix("made up") == true })
  }

  @Test("has every single instruction, each with the loop around it")
  func primitives() throws {
    let cells = try cells().map(\.cell)
    for primitive in Workload.Name.allCases where primitive.kind == .primitive && primitive != .delay {
      let own = cells.filter { $0.workload == primitive && $0.baselineUse == .subtract }
      #expect(!own.isEmpty, "\(primitive)")
      #expect(own.allSatisfy { cell in cells.contains { $0.id == cell.baseline } })
    }
    #expect(cells.count { $0.workload == .wrmsr && $0.baselineUse == .subtract } == PolicyName.allCases.count + 1)
    #expect(!cells.contains { $0.workload == .delay }, "a delay is measured when it is asked for")
    #expect(try self.cells { $0.workloads = [.delay] }.contains { $0.cell.workload == .delay })
  }

  @Test("gives a reason for each cell that cannot be measured, and an experiment for every other")
  func reasons() throws {
    for planned in try cells({ $0.allEntries = true }) {
      switch planned.cell.status {
      case .measured: #expect(planned.experiment != nil && planned.cell.reason == nil, "\(planned.cell.id)")
      case .unsupported:
        #expect(planned.experiment == nil && planned.cell.reason?.isEmpty == false, "\(planned.cell.id)")
      default: Issue.record("\(planned.cell.id) is \(planned.cell.status) before it was measured")
      }
    }
  }

  @Test("measures what adaptive weighs once, for all cells about the MSR, and not where adaptive is not asked for")
  func adaptiveCosts() throws {
    func costs(_ policies: Set<PolicyName>) throws -> [AdaptiveCosts?] {
      try cells {
        $0.msr = .kernelGSBase
        $0.policies = policies
      }.filter { $0.terms.abilities.subject == .kernelGSBase }.map(\.terms.adaptiveCosts)
    }
    let held = try Host.proved().terms[.kernelGSBase]?.abilities.register.isHeld == true
    let all = try costs([])
    #expect(!all.isEmpty && all.allSatisfy { ($0 != nil) == held && $0 == all[0] })
    #expect(try costs([.emulate, .passthrough]).allSatisfy { $0 == nil })
  }

  @Test("lets adaptive give up a protection only where that is accepted")
  func accepted() throws {
    for accepts in [false, true] {
      let cells = try cells { $0.acceptsUnprotected = accepts }
      #expect(cells.allSatisfy { $0.terms.acceptsUnprotected == accepts })
    }
  }

  @Test("has each id once, and every baseline that is named")
  func identifiers() throws {
    for msr in [MSR.specCtrl, .kernelGSBase, .tscAdjust, .predCmd] {
      let cells = try cells {
        $0.msr = msr
        $0.allEntries = true
      }.map(\.cell)
      let ids = Set(cells.map(\.id))
      #expect(ids.count == cells.count, "\(msr)")
      for cell in cells { if let baseline = cell.baseline { #expect(ids.contains(baseline), "\(cell.id)") } }
    }
  }

  @Test("lists neighbours that there is no processor for, with that reason")
  func oneProcessor() throws {
    let cells = try cells(canPlaceNeighbours: false) { $0.workloads = [.chatty] }.map(\.cell)
    let elsewhere = cells.filter { $0.neighbour == .otherCPU }
    #expect(elsewhere.count == PolicyName.allCases.count)
    #expect(elsewhere.allSatisfy { $0.status == .unsupported && $0.reason?.contains("one processor") == true })
    #expect(cells.contains { $0.neighbour == .sameCPU && $0.status == .measured })
  }

  @Test("is narrowed by a selection, and keeps what the rest is compared with")
  func selection() throws {
    let whole = Set(try cells().map(\.cell.id))
    let narrow = try cells {
      $0.workloads = [.retpoline, .out]
      $0.policies = [.emulate]
    }.map(\.cell)
    #expect(Set(narrow.map(\.id)).isSubset(of: whole))
    #expect(Set(narrow.map(\.workload)) == [.known(.bare), .known(.retpoline), .known(.out)])
    #expect(narrow.allSatisfy { $0.policy == .emulate })
    for cell in narrow { if let baseline = cell.baseline { #expect(narrow.contains { $0.id == baseline }) } }
    for entry in try Host.proved().entries where entry != .none {
      let cells = try cells { $0.entries = [entry] }.map(\.cell)
      #expect(Set(cells.map(\.entry)) == [.known(entry), .known(.none)])
    }
  }

  @Test("is of the policies that were named, and of the bare guest that the rest is compared with")
  func policies() throws {
    for policy in PolicyName.allCases where policy != .emulate {
      let narrow = try cells {
        $0.msr = .kernelGSBase
        $0.policies = [policy]
      }.map(\.cell)
      #expect(narrow.allSatisfy { $0.policy == policy || $0.workload == .bare }, "\(policy)")
      for primitive in [WorkloadName.cpuid, .out, .mmio, .hlt] {
        let own = narrow.filter { $0.workload == primitive && $0.baselineUse == .subtract }
        #expect(own.map(\.policy) == [.known(policy)], "\(primitive) under \(policy)")
      }
      let standIns = narrow.filter { $0.msr?.value == .tscAdjust }
      #expect(standIns.isEmpty == (policy != .passthrough), "\(policy)")
    }
    let two = try cells {
      $0.msr = .kernelGSBase
      $0.policies = [.shadow, .emulate]
    }.map(\.cell)
    #expect(two.filter { $0.workload == .out }.allSatisfy { $0.policy == .emulate })
  }

  @Test("of single instructions alone needs no kernel entry")
  func withoutEntry() throws {
    let cells = try cells { $0.entries = [.none] }.map(\.cell)
    #expect(cells.contains { $0.workload == .out } && cells.allSatisfy { $0.entry == Entry.none })
  }

  @Test("about a clock says that its value moves, once, and measures it where it is trapped")
  func clock() throws {
    let cells = try cells {
      $0.msr = .timeStampCounter
      $0.workloads = [.ibrs, .wrmsr]
    }.map(\.cell)
    let own = cells.filter { $0.msr?.value == .timeStampCounter }
    let reasons = Set(own.compactMap(\.reason))
    #expect(reasons.count == 1 && reasons.allSatisfy { $0.contains("its value changes by itself") }, "\(reasons)")
    #expect(own.contains { $0.policy == .emulate && $0.status == .measured })
    #expect(own.allSatisfy { $0.policy != .passthrough || $0.status == .unsupported })
  }

  private func refusal(_ change: (inout BenchSelection) -> Void) -> String? {
    do {
      _ = try cells(change)
      return nil
    } catch { return "\(error)" }
  }

  @Test("refuses a selection of which this host can run nothing, with the reason; not the whole plan")
  func impossible() throws {
    for policy in PolicyName.allCases {
      let possible = try Host.proved().supports(policy, of: .specCtrl)
      let text = refusal {
        $0.policies = [policy]
        $0.workloads = [.bare]
      }
      #expect((text == nil) == possible, "\(policy): \(text ?? "")")
      // What runs under that policy of another MSR is no answer.
      let alone = refusal { $0.policies = [policy] }
      #expect((alone == nil) == possible, "\(policy): \(alone ?? "")")
      if case .refused(let reason) = policy.support(on: try Terms.prove(.specCtrl, on: try KVM())) {
        #expect(text?.contains(reason) == true && text?.contains("/\(policy.rawValue)") == true)
      }
    }
    // No processor has that MSR.
    let missing = try #require(
      refusal {
        $0.msr = MSR(0x474f_4f00)
        $0.workloads = [.wrmsr]
        $0.policies = [.manual, .autoload]
      })
    for words in ["none of the selected cells can be measured", "wrmsr/none/", "0x474f4f00", "spectrap list"] {
      #expect(missing.contains(words), "\(missing)")
    }
    #expect(refusal { $0.msr = MSR(0x474f_4f00) } == nil)
  }

  @Test("refuses workloads without the kernel entry that they are about")
  func noneAlone() throws {
    let text = try #require(
      refusal {
        $0.entries = [.none]
        $0.workloads = [.ibrs]
      })
    for word in ["entry none", "ibrs", "syscall", "wrmsr"] { #expect(text.contains(word)) }
  }

  @Test("refuses a workload that is no loop, and lists those that are")
  func probe() throws {
    let text = try #require(refusal { $0.workloads = [.probe, .bare] })
    for word in ["probe", "ibrs", "chatty", "wrmsr"] { #expect(text.contains(word)) }
  }

  @Test("refuses an entry that does not work here, with what was seen")
  func brokenEntry() throws {
    let working = try Host.proved().entries
    for entry in Entry.ringSwitching where !working.contains(entry) {
      let text = try #require(refusal { $0.entries = [entry] })
      #expect(text.contains(entry.rawValue) && text.contains("ring"))
    }
  }
}
