// Two results: one where everything is known, one where nothing is that need not be.

@testable import Measurement
import Registers

enum Sample {
  private static let view = SpeculationView(
    ibrs: true, stibp: true, ssbd: false, ibpb: true, ibrsAll: true, archCapabilities: .max, bhiCtrl: true,
    rrsbaCtrl: true, ipredCtrl: true, psfd: false, automaticIBRS: false, virtualSpecCtrl: false)
  private static let blindView = SpeculationView(
    ibrs: false, stibp: false, ssbd: false, ibpb: false, ibrsAll: nil, archCapabilities: nil)

  private static var host: HostReport {
    HostReport(
      kernel: "6.18.0", module: "kvm_intel", moduleParameters: ["nested": "Y"],
      cpu: HostReport.CPU(
        vendor: "GenuineIntel", model: "a CPU", family: 6, modelNumber: 0x8f, stepping: 8, microcode: "0x2b",
        logicalCount: 2),
      isVirtualised: true, hypervisor: "KVMKVMKVM", vulnerabilities: ["spectre_v2": "Mitigation: IBRS"],
      tsc: HostReport.TSC(hertz: 2.5e9, source: "CPUID", invariant: true, isClocksource: true, clocksource: "tsc"),
      smt: "off",
      governors: ["performance"], turbo: false, processStoreBypass: "enabled", processIndirectBranch: "enabled",
      speculation: HostReport.Speculation(cpu: view, kvm: view, guest: view),
      hostSpecCtrl: HostReport.HostBits(value: 0x401, source: "kernel", kept: 0x401),
      specCtrlMode: .known(.byHand),
      specCtrlProof: HostReport.Fact(
        works: true, seen: "read back", protects: .known(.notApplicable), mechanism: .known(.model)),
      entries: [
        "syscall": HostReport.Fact(
          works: true, seen: "ring 0", protects: .known(.notApplicable), mechanism: .known(.model))
      ],
      policies: [
        "emulate": HostReport.Fact(works: true, seen: "protects", protects: .known(.always), mechanism: .known(.model))
      ],
      capabilities: ["KVM_CAP_X86_MSR_FILTER": 1])
  }

  private static let blindHost = HostReport(
    kernel: nil, module: "none", moduleParameters: [:],
    cpu: HostReport.CPU(
      vendor: nil, model: nil, family: nil, modelNumber: nil, stepping: nil, microcode: nil, logicalCount: nil),
    isVirtualised: false, hypervisor: nil, vulnerabilities: [:],
    tsc: HostReport.TSC(hertz: nil, source: nil, invariant: false, isClocksource: false), smt: nil, governors: [],
    turbo: nil, processStoreBypass: "enabled", processIndirectBranch: "enabled",
    speculation: HostReport.Speculation(cpu: blindView, kvm: nil, guest: nil))

  static let full = RunReport(
    identity: ResultIdentity(host: "rack 7", began: "2026-11-30T10:00:00Z", run: 7), host: host, workload: "ibrs",
    entry: "syscall", entryChoice: "the best", policy: "emulate", mechanism: "model",
    iterations: 100,
    samples: 10, protection: RunReport.Protection(level: "always", reason: "IBRS_ALL"), origin: "elsewhere",
    completed: false,
    stopped: "timeLimit",
    exits: RunReport.Exits(
      total: 201, byReason: ["writeMSR": 200, "portOut": 1],
      byMSR: ["0x48": RunReport.Accesses(reads: 0, writes: 200)], interruptions: 1),
    kvm: RunReport.KVM(
      exits: 205, lightExits: 4, statistics: ["exits": 205], whyNone: "known all the same",
      exitReasons: ["CPUID": 4]),
    guest: RunReport.Guest(
      cyclesPerIteration: 123.5, distribution: Distribution([1, 2, 3, 4, 5, 6]), clockDoubt: "too long",
      kernelEntries: 100,
      expected: RunReport.Expected(msrReads: 0, msrWrites: 200, portOuts: 1), told: view, sees: view,
      probe: [RunReport.ProbeStep(step: "readAtStart", faulted: false, value: .max)]),
    vmm: RunReport.VMM(
      cyclesPerExit: 1e6,
      roundTrips: ["halt": CycleSummary(count: 1, minimum: 2, p50: 3, p90: 4, p99: 5, maximum: .max)]),
    msr: RunReport.Register(
      .specCtrl, start: 0, end: .max, registerStart: 1, registerEnd: .max),
    policyTally: ["entryLoads": 202])

  static let sparse = RunReport(
    host: blindHost, workload: "bare", entry: "none", entryChoice: "as asked for", policy: "passthrough",
    iterations: 1, samples: 1, protection: RunReport.Protection(level: "guest", reason: "it writes"), completed: true,
    stopped: nil, exits: RunReport.Exits(total: 0, byReason: [:], byMSR: [:], interruptions: 0),
    kvm: RunReport.KVM(exits: nil, lightExits: nil, statistics: nil),
    guest: RunReport.Guest(
      cyclesPerIteration: nil, distribution: nil, kernelEntries: nil,
      expected: RunReport.Expected(msrReads: 0, msrWrites: 0, portOuts: 1), told: blindView, sees: nil, probe: nil),
    vmm: RunReport.VMM(cyclesPerExit: nil, roundTrips: nil),
    msr: RunReport.Register(
      .specCtrl, start: 0, end: 0, registerStart: nil, registerEnd: nil),
    policyTally: [:])
}
