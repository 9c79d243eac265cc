// A record as a report.

import GuestImages
import Hypervisor
import Measurement
import Testing

@testable import Experiments

@Suite("The report of a record")
struct ReportTests {
  private func report(_ record: RunRecord) -> RunReport {
    RunReport(record, host: HostReport(), entryChoice: "as asked for")
  }

  @Test("holds the three witnesses side by side")
  func witnesses() {
    let report = report(.made(kvmExits: 30))
    #expect(report.exits.total == 21)
    #expect(report.exits.byReason == ["writeMSR": 20, "portOut": 1])
    #expect(report.exits.byMSR == [.known(.specCtrl): RunReport.Accesses(reads: 0, writes: 20)])
    #expect(report.kvm == RunReport.KVM(exits: 30, lightExits: 9, statistics: ["exits": 30]))
    #expect(report.guest.expected == RunReport.Expected(msrReads: 0, msrWrites: 20, portOuts: 1))
    #expect(report.guest.kernelEntries == 10)
  }

  @Test("gives cycles for an iteration by the guest's clock, and for an exit by the host's")
  func clocks() {
    let report = report(.made())
    #expect(report.guest.cyclesPerIteration == 100)
    #expect(report.guest.distribution?.count == 2)
    #expect(report.vmm.cyclesPerExit == 100)
  }

  @Test("names what was run, and how it ended")
  func names() {
    let report = report(.made(stopped: .timeLimit, samples: 0))
    #expect(report.workload == .ibrs && report.entry == Entry.none && report.policy == .emulate)
    #expect((report.iterations, report.samples) == (10, 2))
    #expect(report.completed == false && report.stopped == "timeLimit")
    #expect(report.guest.cyclesPerIteration == nil && report.guest.distribution == nil)
    #expect(report.msr.name == "IA32_SPEC_CTRL" && report.msr.index == .specCtrl)
    #expect(report.msr.registerStart == nil && report.msr.registerEnd == 0)
  }

  @Test("says that a guest which was stopped has not told how often its kernel was entered")
  func stopped() { #expect(report(.made(stopped: .cancelled, kernelEntries: 0)).guest.kernelEntries == nil) }
}
