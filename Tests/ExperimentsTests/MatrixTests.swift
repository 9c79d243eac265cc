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
        let record = try experiment.run()
        try expectExactCounts(record, "\(workload) with \(entry) under \(policy) of \(subject)")
      }
    }
  }

  private func expectExactCounts(_ record: RunRecord, _ what: Comment) throws {
    let experiment = record.experiment
    let built = experiment.workload.actions(iterations: Self.iterations)
    // emulate alone intercepts.
    let trapped = experiment.policy == .emulate ? (built.reads, built.writes) : (0, 0)
    let seen = record.counters.byMSR[experiment.msr]
    #expect((seen?.reads ?? 0, seen?.writes ?? 0) == trapped, what)
    #expect(record.counters[.portOut] == built.outs + 1, what)
    #expect(record.counters.total == trapped.0 + trapped.1 + built.outs + 1, what)
    #expect(record.mailbox.kernelEntries == Self.iterations, what)
    #expect(record.completed && record.samples.map(\.iterations) == experiment.orders, what)
    #expect(record.cyclesPerIteration.allSatisfy { $0 > 0 }, what)
    if let kvmExits = record.kvmExits {
      #expect(kvmExits >= record.counters.total && record.lightExits == kvmExits - record.counters.total, what)
    }
    // The guest's last write is what it reads at the end: 1 for the workload that sets it once, 0 for those that clear it.
    let last: UInt64 =
      switch experiment.workload.name {
      case .ibrsAll: 1
      case .ibrs, .probe: 0
      default: record.subjectAtStart.guest
      }
    #expect(record.subjectAtEnd.guest == last, what)
    let entries = record.counters.total + record.counters.interruptions
    let tally = experiment.policy == .autoload ? ["entryLoads", "exitStores", "exitLoads"] : []
    #expect(record.tally == Dictionary(uniqueKeysWithValues: tally.map { ($0, entries) }), what)
  }

  @Test("traps two writes an iteration under emulate, and none under the policies that leave the register to the guest")
  func ibrs() throws {
    let host = try Host.proved()
    for subject in Host.subjects {
      for policy in PolicyName.allCases where host.supports(policy, of: subject) {
        let record = try Experiment(
          .ibrs, entry: host.entries[0], policy: policy, msr: subject, iterations: 500, samples: 1
        ).run()
        #expect(record.counters[.writeMSR] == (policy == .emulate ? 1000 : 0), "\(policy) of \(subject)")
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

  @Test("shows a guest the register itself under passthrough and autoload")
  func probeDirect() throws {
    let host = try Host.proved()
    for subject in Host.subjects {
      for policy in [PolicyName.passthrough, .autoload] where host.supports(policy, of: subject) {
        let record = try Experiment(.probe, entry: .none, policy: policy, msr: subject, iterations: 1, samples: 1).run()
        let steps = record.mailbox.probeSteps
        #expect(steps[ProbeStep.readOne.rawValue].value == 1, "\(policy) of \(subject)")
        #expect(steps[ProbeStep.readAtEnd.rawValue].value == 0)
        #expect(record.counters.byMSR.isEmpty)
      }
    }
  }

  @Test("keeps the host's value in the register while no guest runs, under autoload")
  func hostValue() throws {
    let host = try Host.proved()
    for subject in Host.subjects where host.supports(.autoload, of: subject) {
      let record = try Experiment(
        .ibrsAll, entry: host.entries[0], policy: .autoload, msr: subject, iterations: 10, samples: 1
      ).run()
      #expect(record.subjectAtEnd.guest == 1, "the guest's value is kept for its next entry")
      #expect(record.subjectAtEnd.register == record.subjectAtStart.register)
    }
  }

  @Test("protects as its policy promised for this host")
  func protection() throws {
    let host = try Host.proved()
    for (subject, abilities) in host.abilities {
      for policy in PolicyName.allCases {
        guard case .supported(let protection) = policy.support(on: abilities) else { continue }
        let record = try Experiment(.bare, entry: .none, policy: policy, msr: subject, iterations: 1, samples: 1).run()
        #expect(record.protection == protection)
      }
    }
  }
}
