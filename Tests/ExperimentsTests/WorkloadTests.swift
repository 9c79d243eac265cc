// The workloads with a choice, the primitives and their baselines, and the guest about an MSR of its own, on this host.

import GuestImages
import TestSupport
import Testing

@testable import Experiments
@testable import Hypervisor

@Suite("A workload on this host", .needsKVM)
struct WorkloadTests {
  /// A run that counts exactly, or the experiment would throw.
  private func run(
    _ workload: Workload, _ policy: PolicyName = .emulate, of msr: MSR = .kernelGSBase, entry: Entry? = nil,
    iterations: Int = 10
  ) throws -> RunRecord {
    let entry = try entry ?? (workload.entries == [.none] ? .none : Host.proved().entries[0])
    return try Experiment(
      running: workload, entry: entry, policy: policy, msr: msr, iterations: iterations, samples: 2
    ).run()
  }

  @Test(
    "writes and exits as often as chosen, with every entry and under every policy",
    arguments: [(0, 0), (1, 0), (1, 3), (4, 1), (7, 2)])
  func choices(writes: Int, exits: Int) throws {
    let host = try Host.proved()
    let msr = MSR.kernelGSBase
    for policy in PolicyName.allCases where host.supports(policy, of: msr) {
      for entry in host.entries {
        let record = try run(
          .ibrs(msr, writes: writes, exits: exits), policy, entry: entry, iterations: 12)
        let all = UInt64(writes * 12)
        switch record.interceptsSubject {
        case .always: #expect(record.counters[.writeMSR] == all, "\(policy) with \(entry)")
        case .never: #expect(record.counters[.writeMSR] == 0, "\(policy) with \(entry)")
        case .atTimes, .underOthersBefore: #expect(record.counters[.writeMSR] <= all, "\(policy) with \(entry)")
        }
        #expect(record.counters[.portOut] == UInt64(exits * 12 + 1))
        #expect(record.subjectAtEnd.guest == (writes.isMultiple(of: 2) ? 0 : 1))
      }
    }
  }

  @Test("with exits while its value is in the register makes manual write twice at each of them, and skip the rest")
  func manual() throws {
    guard try Host.proved().supports(.manual, of: .kernelGSBase) else { return }
    let record = try run(.ibrs(.kernelGSBase, writes: 2, exits: 3), .manual, entry: Entry.none)
    // At each OUT the guest's 1 goes out for the host's 0 and comes in again; the last exit, the doorbell, finds 0.
    let outs: UInt64 = 30
    let entries = record.counters.total + record.counters.interruptions
    #expect(record.tally["reads"] == entries)
    // A signal may come at any moment, and then there is a pair of writes more or less.
    let spare = 2 * record.counters.interruptions
    #expect((2 * outs...2 * outs + spare).contains(try #require(record.tally["writes"])))
  }

  @Test("ssbd leaves SSBD on or off, as its last switch was to the task with it or to the other", arguments: [1, 2, 7])
  func ssbd(iterations: Int) throws {
    let host = try Host.proved()
    for policy in PolicyName.allCases where host.supports(policy, of: .kernelGSBase) {
      let workload = Workload(.ssbd, msr: .kernelGSBase)
      let record = try Experiment(
        running: workload, entry: host.entries[0], policy: policy, msr: .kernelGSBase, iterations: iterations,
        samples: 1
      ).run()
      #expect(record.subjectAtEnd.guest == (iterations.isMultiple(of: 2) ? 0 : 4), "\(policy)")
      #expect(record.expected.writes == UInt64(iterations))
    }
  }

  @Test("ibpb reaches the VMM only where the policy is about IA32_PRED_CMD itself", arguments: PolicyName.allCases)
  func ibpb(policy: PolicyName) throws {
    let host = try Host.proved()
    guard host.refusals[.ibpb] == nil else { return }
    for subject in [MSR.kernelGSBase, .specCtrl] where host.supports(policy, of: subject) {
      let record = try run(Workload(.ibpb), policy, of: subject)
      #expect(record.counters.byMSR.isEmpty, "the barrier is the guest's: \(policy) of \(subject)")
      #expect(record.expectedAccesses(of: .predCmd) == (0, 10) && record.expectedAccesses(of: subject) == (0, 0))
    }
    let abilities = try HostAbilities.prove(.predCmd, on: try KVM())
    switch policy.support(on: Terms(abilities)) {
    case .refused(let reason): #expect(reason.contains("IA32_PRED_CMD (0x49)"))
    case .supported(let protection):
      let record = try run(Workload(.ibpb), policy, of: .predCmd)
      let trapped = [PolicyName.emulate, .shadow, .adaptive].contains(policy)
      #expect(record.counters.byMSR[.predCmd]?.writes == (trapped ? 10 : nil))
      #expect(protection.level == (trapped ? Protection.Level.none : .guest))
      #expect(record.subjectAtEnd.register == nil)
    }
  }

  @Test(
    "of one instruction, and its baseline, count exactly under every policy",
    arguments: Workload.Name.allCases.filter { $0.kind == .primitive })
  func primitives(name: Workload.Name) throws {
    let msr = MSR.kernelGSBase
    let workload = Workload(name, msr: msr)
    let host = try Host.proved()
    for policy in PolicyName.allCases where host.supports(policy, of: msr) {
      let full = try run(workload, policy)
      let empty = try run(try #require(workload.baseline), policy)
      #expect(empty.counters.total == 1, "the doorbell alone")
      let most: UInt64 = name == .outTwice ? 21 : 11
      #expect(full.counters.total <= most)
      if [.out, .outTwice, .mmio, .hlt].contains(name) { #expect(full.counters.total == most) }
    }
  }

  @Test("is refused where its guest cannot use the MSR, before it runs, with what was seen")
  func refused() throws {
    let workload = Workload.wrmsr(MSR(0x474f_4f00))
    do {
      _ = try run(workload)
      Issue.record("no processor has that MSR")
    } catch ExperimentError.workloadRefused(.known(.wrmsr), let reason) {
      #expect(reason.contains("guests of this KVM cannot use 0x474f4f00"))
    }
    // Nothing is proved where the policy answers for the MSR.
    let kvm = try KVM()
    let terms = try Terms.prove(MSR(0x474f_4f00), on: kvm).proved(for: workload, on: kvm)
    #expect(terms.otherRegisters.isEmpty && workload.refusal(on: terms) == nil)
    // Elsewhere it is proved once.
    let others = try Terms.prove(.specCtrl, on: kvm).proved(for: workload, on: kvm)
    #expect(others.otherRegisters.count == 1 && workload.refusal(on: others) != nil)
    #expect(try others.proved(for: workload, on: kvm) == others)
  }

  // KVM executes a WRMSR that is pending a second time where the vCPU's mode is changed and changed back meanwhile.
  @Test(
    "that writes IA32_EFER makes each write once under every policy that traps it",
    arguments: [PolicyName.emulate, .adaptive])
  func mode(policy: PolicyName) throws {
    let record = try Experiment(.wrmsr, entry: .none, policy: policy, msr: .efer, iterations: 20_000, samples: 20).run()
    #expect(record.completed && record.counters.byMSR[.efer]?.writes == 20_000)
  }

  @Test("is refused where its guest is not told of the bits that it writes")
  func notOffered() {
    var model = CPUIDModel()
    model.set(.specCtrl, to: true)
    let told = GuestContract(cpuid: model, archCapabilities: [])
    #expect(Workload(.ibrs).refusal(toldOf: told) == nil)
    #expect(Workload(.ssbd).refusal(toldOf: told)?.contains("writes SSBD to IA32_SPEC_CTRL") == true)
    #expect(Workload(.probe).refusal(toldOf: told) == nil, "its faults are its work")
    #expect(Workload(.ssbd, msr: .kernelGSBase).refusal(toldOf: told) == nil)
    model.set(.ssbd, to: true)
    #expect(Workload(.ssbd).refusal(toldOf: GuestContract(cpuid: model, archCapabilities: [])) == nil)
  }
}

@Suite("The devices of guests")
struct GuestPortsTests {
  @Test("answer a HLT and a store only for the workload that is about them")
  func answers() {
    func answers(_ workload: Workload?) -> [Disposition] {
      var ports = GuestPorts(for: workload)
      func store(_ address: UInt64) -> Disposition {
        ports.mmioWrite(MMIOAccess(address: GuestPhysicalAddress(address), length: 4, value: 0))
      }
      return [ports.halt(), store(Layout.device), store(Layout.device + 4)]
    }
    #expect(answers(Workload(.hlt)) == [.resume, .unanswered, .unanswered])
    #expect(answers(Workload(.mmio)) == [.unanswered, .resume, .unanswered])
    for workload in [nil, Workload(.bare), Workload(.hlt).baseline, Workload(.mmio).baseline] {
      #expect(answers(workload) == [.unanswered, .unanswered, .unanswered])
    }
  }
}
