// A small snapshot, made up: no KVM took it, and none would take its registers.

import Migration
import TestSupport

@testable import Experiments
@testable import Hypervisor

enum MadeSnapshot {
  /// A guest that was stopped in its third sample of four, with two pages that are not zero.
  static let snapshot = ExperimentSnapshot(
    guest: PortableGuest(
      origin: "a made-up host", policy: "shadow", warnings: ["made up"], machine: machine, work: work),
    pages: [0x8000, 0x3_0000].map { address in
      // The right length at the right address, so that neither can fail.
      GuestPage(address: GuestPhysicalAddress(address), bytes: (0..<4096).map { UInt8(truncatingIfNeeded: $0) })!
    })

  private static var machine: MachineState {
    var told = CPUIDModel([CPUIDEntry(function: 0, eax: 7, ebx: 0x756e_6547, ecx: 0x6c65_746e, edx: 0x4965_6e69)])
    told.set(.specCtrl, to: true)
    var counters = ExitCounters(subject: .specCtrl)
    counters.portOuts = 3
    for _ in 0..<70 { counters.countWrite(of: .specCtrl, subject: .specCtrl) }
    counters.countRead(of: .predCmd, subject: .specCtrl)
    counters.countOther(.debug)
    counters.countInterruption()
    let contract = GuestContract(cpuid: told, archCapabilities: .ibrsAll)
    return MachineState(
      requestedContract: contract, contract: contract, cpu: cpu, subject: .specCtrl, subjectValue: 1, policyState: nil,
      clock: nil,
      memory: [GuestPhysicalRange(start: 0, count: 0x10_0000)], counters: counters)
  }

  private static var cpu: VirtualCPUState {
    func bytes(_ count: Int) -> ABIBytes { ABIBytes(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }) }
    return VirtualCPUState(
      registers: bytes(144), specialRegisters: bytes(24), xsave: bytes(16), extendedControlRegisters: bytes(8),
      debugRegisters: bytes(8), multiprocessorState: bytes(4), events: bytes(8),
      msrs: [MSREntry(.star, 0x23_0010_0000_0000), MSREntry(.timeStampCounter, .max)], tscKilohertz: 2_596_150)
  }

  private static var work: ExperimentState {
    ExperimentState(
      workload: "ibrs", parameters: ["writesPerEntry": 2, "exitsPerEntry": 1], msr: 0x48, entry: "breakpoint",
      iterationsPerSample: [10, 10, 9, 9], pause: 3, samplesTaken: 2, isBetweenSamples: false, protection: "always",
      hasIBPB: true,
      acceptsUnprotected: true, subjectAtStart: SubjectValue(guest: 0, register: 1), kvmStatistics: ["exits": 100],
      interception: .always,
      tally: ["registerWrites": 4],
      hostCycles: 1_000_000)
  }

  /// Its file, as the code under test writes it.
  static let file: [UInt8] = {
    // Every number in it is finite, so that it can be encoded.
    try! snapshot.encoded()
  }()

  /// The parts of its file.
  static var parts: SnapshotBytes { SnapshotBytes(parsing: file) }
}

extension SnapshotBytes {
  /// Why the file is refused, nil when it is not.
  var refusal: SnapshotError? { MigrationTests.refusal(of: file) }
}

/// Why these bytes are refused as a snapshot, nil when they are not.
func refusal(of bytes: [UInt8]) -> SnapshotError? {
  do throws(SnapshotError) { _ = try ExperimentSnapshot(decoding: bytes) } catch { return error }
  return nil
}
