// Every workload under every policy with every entry that works here: the counts are exact.

import Experiments
import GuestImages
import Hypervisor
import Testing
import TestSupport

@Suite("An experiment on this host", .needsKVM)
struct MatrixTests {
  private static let iterations: UInt64 = 24

  @Test("counts exactly what its guest was built to do", arguments: Workload.Name.allCases, PolicyName.allCases)
  func counts(workload: Workload.Name, policy: PolicyName) throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(policy, of: subject) {
      for entry in host.entries(of: workload) {
        let experiment = try Experiment(
          workload, entry: entry, policy: policy, msr: subject, iterations: Int(Self.iterations), samples: 5)
        // The one about an MSR of its own is refused under every policy, the others where the policy is about theirs.
        if let reason = host.refusals[workload], workload.ownMSR != nil || subject == .specCtrl {
          #expect {
            try experiment.run()
          } throws: {
            guard case ExperimentError.workloadRefused(.known(workload), reason) = $0 else { return false }
            return true
          }
          continue
        }
        let record = try experiment.run()
        try expectExactCounts(record, "\(workload) with \(entry) under \(policy) of \(subject)")
      }
    }
  }

  private func expectExactCounts(_ record: RunRecord, _ what: Comment) throws {
    let experiment = record.experiment
    let built = experiment.workload.actions(iterations: Self.iterations)
    let expected = record.expectedAccesses(of: experiment.msr)
    let seen = record.counters.byMSR[experiment.msr].map { ($0.reads, $0.writes) } ?? (0, 0)
    let trapped: (UInt64, UInt64)
    switch record.interceptsSubject {
    case .always: trapped = expected
    case .never: trapped = (0, 0)
    case .atTimes where record.tally["opens"] == 0: trapped = expected
    case .atTimes, .underOthersBefore:
      #expect(seen.0 <= expected.0 && seen.1 <= expected.1 && seen.0 + seen.1 >= 10, what)
      trapped = seen
    }
    #expect(
      (record.interceptsSubject == .never) == [.passthrough, .autoload, .manual].contains(experiment.policy), what)
    let own = experiment.workload.msr
    #expect(record.expectedAccesses(of: own) == (built.reads, built.writes), what)
    #expect(own == experiment.msr || (experiment.workload.name == .ibpb && own == .predCmd), what)
    #expect(seen == trapped, what)
    #expect(record.counters[.portOut] == built.outs + 1, what)
    #expect(record.counters.total == trapped.0 + trapped.1 + built.outs + built.stores + built.halts + 1, what)
    #expect((record.counters[.mmioWrite], record.counters[.halt]) == (built.stores, built.halts), what)
    #expect(record.mailbox.kernelEntries == Self.iterations, what)
    #expect(record.completed && record.samples.map(\.iterations) == experiment.iterationsPerSample, what)
    #expect(record.cyclesPerIteration.allSatisfy { $0 > 0 }, what)
    if let kvmExits = record.kvmExits {
      #expect(kvmExits >= record.counters.total && record.lightExits == kvmExits - record.counters.total, what)
    }
    // The guest's last write is what it reads at the end: 1 for those that only set it, 0 for those that clear it.
    let last: UInt64? =
      switch experiment.workload.name.value {
      case .ibrsAll, .ibrsForced, .wrmsr: 1
      case .ibrs, .ibrsZero, .phases, .ssbd, .probe: 0
      default: record.subjectAtStart.guest
      }
    #expect(record.subjectAtEnd.guest == last, what)
    let entries = record.counters.total + record.counters.interruptions
    switch experiment.policy {
    case .passthrough, .emulate: #expect(record.tally.isEmpty, what)
    case .autoload:
      #expect(record.tally == ["entryLoads": entries, "exitStores": entries, "exitLoads": entries], what)
    case .manual:
      #expect(record.tally["reads"] == entries, what)
      #expect((record.tally["writes"] ?? 0) + (record.tally["skippedWrites"] ?? 0) == 2 * entries, what)
    case .shadow:
      // SSBD is the only bit that these guests change and the host does not keep.
      let isHeld = try Host.proved().terms[experiment.msr]?.abilities.register.isHeld == true
      let changes = experiment.workload.name == .ssbd && isHeld ? built.writes : 0
      #expect(record.tally == ["registerWrites": changes], what)
    case .adaptive: #expect(Set(record.tally.keys) == ["opens", "closes", "openAtEnd"], what)
    }
  }

  @Test(
    "traps two writes an iteration under emulate and shadow, none where the register is the guest's, under adaptive a few"
  )
  func ibrs() throws {
    let host = try Host.proved()
    for subject in Host.subjects {
      for policy in PolicyName.allCases where host.supports(policy, of: subject) {
        let record = try Experiment(
          .ibrs, entry: host.entries[0], policy: policy, msr: subject, iterations: 500, samples: 1
        ).run()
        let trapped: UInt64 =
          switch record.interceptsSubject {
          case .always: 1000
          case .never: 0
          // Ten make up the price.
          case .atTimes, .underOthersBefore: 10
          }
        #expect(record.counters[.writeMSR] == trapped, "\(policy) of \(subject)")
        #expect(record.counters[.readMSR] == 0)
      }
    }
  }

  @Test("shows a guest under emulate its own value of SPEC_CTRL, and a fault for the reserved bit")
  func probeEmulated() throws {
    let record = try Experiment(.probe, entry: .none, policy: .emulate, iterations: 3, samples: 1).run()
    #expect(record.counters[.readMSR] == 12 && record.counters[.writeMSR] == 9)
    let steps = record.mailbox.probeSteps
    #expect(steps.map(\.faulted) == [false, false, false, true, false, false, false])
    // Read at start, 1, read, the reserved bit, read: still 1; 0, read.
    #expect(steps.map(\.value) == [0, 1, 1, ProbeStep.reservedBit, 1, 0, 0])
    #expect(record.subjectAtStart.register == record.subjectAtEnd.register, "the register itself is never touched")
  }

  @Test("shows a guest the register itself under passthrough, autoload and manual")
  func probeDirect() throws {
    let host = try Host.proved()
    for subject in Host.subjects {
      for policy in [PolicyName.passthrough, .autoload, .manual] where host.supports(policy, of: subject) {
        let record = try Experiment(
          .probe, entry: .none, policy: policy, msr: subject, iterations: 1, samples: 1
        ).run()
        let steps = record.mailbox.probeSteps
        #expect(steps[ProbeStep.readOne.rawValue].value == 1, "\(policy) of \(subject)")
        #expect(steps[ProbeStep.readAtEnd.rawValue].value == 0)
        #expect(record.counters.byMSR.isEmpty)
      }
    }
  }

  @Test("keeps the host's value in the register while no guest runs", arguments: [PolicyName.autoload, .manual])
  func hostValue(policy: PolicyName) throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(policy, of: subject) {
      let record = try Experiment(
        .ibrsAll, entry: host.entries[0], policy: policy, msr: subject, iterations: 10, samples: 1
      ).run()
      #expect(record.subjectAtEnd.guest == 1, "the guest's value is kept for its next entry")
      #expect(record.subjectAtEnd.register == record.subjectAtStart.register)
    }
  }

  @Test("protects as its policy promised for this host")
  func protection() throws {
    let host = try Host.proved()
    for (subject, terms) in host.terms {
      for policy in PolicyName.allCases {
        guard case .supported(let protection) = policy.support(on: terms) else { continue }
        let record = try Experiment(.bare, entry: .none, policy: policy, msr: subject, iterations: 1, samples: 1).run()
        #expect(record.protection == protection)
      }
    }
  }
}
