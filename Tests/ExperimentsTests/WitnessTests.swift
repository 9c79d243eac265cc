// The witnesses of a run, made up to agree, and then changed one by one.

import Testing

@testable import Experiments
@testable import GuestImages
@testable import Hypervisor

@Suite("The witnesses of a run")
struct WitnessTests {
  @Test("agree when each counts what the guest was built to do")
  func agreement() throws {
    try RunRecord.made().verify()
    try RunRecord.made(trapped: false, writes: 0).verify()
    try RunRecord.made(kvmExits: nil).verify()
    try RunRecord.made(kvmExits: 21).verify()
  }

  @Test("disagree when the VMM counts one write too few or too many", arguments: [0, 19, 21] as [UInt64])
  func writes(count: UInt64) {
    #expect(
      contradictions(of: .made(writes: count))
        == ["writes of IA32_SPEC_CTRL that reached the VMM: \(count) counted, 20 expected"])
  }

  @Test("disagree when a write reaches the VMM that the policy leaves to the guest")
  func untrapped() {
    #expect(
      contradictions(of: .made(trapped: false, writes: 1))
        == ["writes of IA32_SPEC_CTRL that reached the VMM: 1 counted, 0 expected"])
  }

  @Test("agree where a policy opens and closes the register, whatever of the built writes it has seen")
  func atTimes() throws {
    try RunRecord.made(intercepts: .atTimes, writes: 20, tally: Self.tally(0, 0, 0)).verify()
    for writes in [1, 7, 20] as [UInt64] {
      try RunRecord.made(intercepts: .atTimes, writes: writes, tally: Self.tally(1, 0, 1)).verify()
    }
    try RunRecord.made(intercepts: .atTimes, writes: 3, tally: Self.tally(2, 2, 0)).verify()
  }

  @Test("disagree where it has seen too few and never opened, or more than were built")
  func atTimesCounts() {
    #expect(
      contradictions(of: .made(intercepts: .atTimes, writes: 19, tally: Self.tally(0, 0, 0)))
        == ["writes of IA32_SPEC_CTRL that reached the VMM: 19 counted, 20 expected"])
    #expect(
      contradictions(of: .made(intercepts: .atTimes, writes: 21, tally: Self.tally(1, 0, 1)))
        == ["writes of IA32_SPEC_CTRL that reached the VMM: 21 counted, at most 20 expected"])
  }

  @Test("disagree where opening and closing do not take turns, or it opened without a reason")
  func atTimesTally() {
    for (opens, closes, openAtEnd) in [(1, 0, 0), (1, 1, 1), (1, 2, 0), (3, 1, 1), (2, 0, 2)]
      as [(UInt64, UInt64, UInt64)]
    {
      #expect(
        contradictions(of: .made(intercepts: .atTimes, writes: 9, tally: Self.tally(opens, closes, openAtEnd)))
          == [
            "the policy opened the register \(opens) times, closed it \(closes) times, and reports that at the end it is "
              + (openAtEnd == 0 ? "closed" : "open")
          ])
    }
    #expect(
      contradictions(of: .made(intercepts: .atTimes, writes: 2, tally: Self.tally(3, 2, 1)))
        == ["the policy opened the register 3 times and saw 2 accesses"])
  }

  private static func tally(_ opens: UInt64, _ closes: UInt64, _ openAtEnd: UInt64) -> [String: UInt64] {
    ["opens": opens, "closes": closes, "openAtEnd": openAtEnd]
  }

  @Test("disagree when the guest reads what it was not built to read")
  func reads() {
    #expect(
      contradictions(of: .made { $0.countRead(of: .specCtrl, subject: .specCtrl) })
        == ["reads of IA32_SPEC_CTRL that reached the VMM: 1 counted, 0 expected"])
  }

  @Test("disagree when an access of another MSR reaches the VMM")
  func otherMSR() {
    #expect(
      contradictions(of: .made { $0.countWrite(of: .predCmd, subject: .specCtrl) })
        == ["IA32_PRED_CMD reached the VMM, which intercepts IA32_SPEC_CTRL alone"])
  }

  @Test("disagree when there is an OUT too many, or no doorbell", arguments: [0, 2] as [UInt64])
  func outs(count: UInt64) {
    #expect(contradictions(of: .made { $0.portOuts = count }) == ["OUTs: \(count) counted, 1 expected"])
  }

  @Test("disagree when the guest makes exits of a kind that it was not built to make")
  func otherKinds() {
    #expect(
      contradictions(
        of: .made {
          $0.halts = 1
          $0.countOther(.debug)
        }) == ["2 exits of other kinds than this guest makes"])
  }

  @Test("disagree when the guest's kernel counts other entries than were ordered", arguments: [0, 9, 11] as [UInt64])
  func kernelEntries(count: UInt64) {
    #expect(
      contradictions(of: .made(kernelEntries: count))
        == ["kernel entries that the guest counted: \(count) counted, 10 expected"])
  }

  @Test("disagree when KVM counts fewer exits than reached the VMM")
  func kvm() {
    #expect(
      contradictions(of: .made(kvmExits: 20))
        == ["KVM counted 20 exits, fewer than the 21 that reached the VMM"])
  }

  @Test("disagree when a sample is missing")
  func samples() { #expect(contradictions(of: .made(samples: 1)) == ["1 of 2 samples were taken"]) }

  @Test("disagree when IBRS was to be kept on and is off at the end, or cannot be read there")
  func ibrsKeptOn() throws {
    let always = Protection(.always, "made up")
    try RunRecord.made(protection: always, registerAtEnd: 1).verify()
    #expect(
      contradictions(of: .made(protection: always, registerAtEnd: 0))
        == ["IBRS was to be kept on, and IA32_SPEC_CTRL holds \(SpecCtrl(rawValue: 0)) at the end"])
    #expect(
      contradictions(of: .made(protection: always, registerAtEnd: nil))
        == ["IBRS was to be kept on, and IA32_SPEC_CTRL cannot be read at the end"])
    try RunRecord.made(registerAtEnd: nil).verify()
  }

  @Test("agree where VMX's mask keeps IBRS on and a register that is not intercepted reads as the guest wrote it")
  func ibrsKeptOnByTheMask() throws {
    let always = Protection(.always, "made up")
    try RunRecord.made(trapped: false, writes: 0, protection: always, registerAtEnd: 0).verify()
    let opened: [String: UInt64] = ["opens": 1, "closes": 0, "openAtEnd": 1]
    try RunRecord.made(
      intercepts: .atTimes, writes: 1, tally: opened, protection: always, registerAtEnd: 0
    ).verify()
    let closed: [String: UInt64] = ["opens": 1, "closes": 1, "openAtEnd": 0]
    #expect(
      contradictions(
        of: .made(intercepts: .atTimes, writes: 2, tally: closed, protection: always, registerAtEnd: 0)
      ).contains { $0.hasPrefix("IBRS was to be kept on") })
  }

  @Test("are all heard: every contradiction is told")
  func all() { #expect(contradictions(of: .made(writes: 19, kernelEntries: 9, kvmExits: 1, samples: 0)).count == 4) }

  @Test("of a run that was stopped may have counted less, and not more")
  func stopped() throws {
    try RunRecord.made(stopped: .timeLimit, writes: 7, kernelEntries: 0, samples: 0) { $0.portOuts = 0 }.verify()
    #expect(
      contradictions(of: .made(stopped: .cancelled, writes: 21))
        == ["writes of IA32_SPEC_CTRL that reached the VMM: 21 counted, 20 expected"])
    #expect(contradictions(of: .made(stopped: .cancelled, kvmExits: 3)).count == 1)
  }

  @Test("give the exits that KVM ended by itself: its own count less the VMM's")
  func lightExits() {
    #expect(RunRecord.made(kvmExits: 25).lightExits == 4)
    #expect(RunRecord.made(kvmExits: 21).lightExits == 0)
    #expect(RunRecord.made(kvmExits: nil).lightExits == nil)
  }

  private func contradictions(of record: RunRecord) -> [String] {
    do throws(ExperimentError) {
      try record.verify()
      return []
    } catch {
      if case .contradiction(let sentences) = error { return sentences }
      return ["\(error)"]
    }
  }
}

extension RunRecord {
  /// The record of the workload `ibrs` over ten iterations in two samples, with the witnesses as given.
  static func made(
    trapped: Bool = true, intercepts: Interception? = nil, stopped: RunControl.Stop? = nil, writes: UInt64 = 20,
    kernelEntries: UInt64 = 10,
    kvmExits: UInt64? = 100, samples: Int = 2, stamps: [SampleRecord]? = nil, firstOwnSample: Int = 0,
    hostCycles: UInt64 = 2100, rates: CounterRates? = nil, tally: [String: UInt64] = [:],
    protection: Protection = Protection(.none, "made up"), registerAtEnd: UInt64? = 0,
    counting: (inout ExitCounters) -> Void = { _ in }
  ) -> RunRecord {
    // Its numbers are good, so neither of the two can fail.
    let experiment = try! Experiment(
      .ibrs, entry: .none, policy: trapped ? .emulate : .passthrough, iterations: 10, samples: 2)
    var counters = ExitCounters(subject: .specCtrl)
    for _ in 0..<writes { counters.countWrite(of: .specCtrl, subject: .specCtrl) }
    counters.portOuts = 1
    counting(&counters)
    return RunRecord(
      experiment: experiment, protection: protection, stopped: stopped,
      interceptsSubject: intercepts ?? (trapped ? .always : .never),
      counters: counters, kvmStatistics: kvmExits.map { ["exits": $0] }, whyNoStatistics: nil,
      mailbox: .made(kernelEntries: kernelEntries),
      samples: stamps ?? (0..<samples).map { _ in SampleRecord(iterations: 5, start: 100, end: 600) },
      firstOwnSample: firstOwnSample,
      subjectAtStart: SubjectValue(guest: 0, register: nil),
      subjectAtEnd: SubjectValue(guest: 0, register: registerAtEnd),
      contract: GuestContract(cpuid: CPUIDModel([]), archCapabilities: []), hostCycles: hostCycles,
      hostCyclesHere: hostCycles, rates: rates, disturbance: RunRecord.Disturbance(), roundTrips: nil, tally: tally,
      origin: nil, warnings: [], snapshot: nil)
  }
}
