// A stock Linux kernel as a guest: the machine's own, under each policy. Its system calls are measured by Spectrap's
// own first process, in instructions.

import Boot
import FoundationEssentials
import Measurement
import Registers
import TestSupport
import Testing

extension LabHost {
  /// What the lab's own kernel is told as well, for the emulator's sake (docs/lab.md), and silence.
  static let words =
    "loglevel=4 cryptomgr.notests ipv6.disable=1 clearcpuid=rdrand,rdseed,erms,fsrm,pku,xsavec,xsaves "
    + "initcall_blacklist=load_system_certificate_list,trace_eval_init,tracer_init_tracefs,cubictcp_register,init_evm,"
    + "init_ima,pci_apply_final_quirks,register_warn_debugfs,intel_pstate_init,i8042_init,cmos_init"

  /// The kernel under a policy; `spectre_v2=ibrs` has it write IBRS at each of its own entries and exits.
  private static func boot(_ options: String, telling words: String = "spectre_v2=ibrs spectre_bhi=off") -> String {
    "spectrap boot vmlinuz --json - --time-limit 150 \(options) --append '\(Self.words) \(words)'"
  }

  static let intelKernel = LabHost(
    "intel", withKernel: true,
    [
      "passthrough": boot("--policy passthrough"),
      "emulate": boot("--policy emulate"),
      "emulate-exact": boot("--policy emulate --timer none"),
      "shadow": boot("--policy shadow"),
      "manual": boot("--policy manual"),
      "autoload": boot("--policy autoload"),
      "adaptive": boot("--policy adaptive --accept-unprotected"),
      "emulate-auto": boot("--policy emulate", telling: ""),
      "panic": boot("--policy passthrough", telling: "rdinit=/nothing root=/dev/nothing"),
    ])

  /// A benchmark of the kernel beside small guests, two rounds of each.
  static let intelKernelBench = LabHost(
    "intel", withKernel: true,
    [
      "bench":
        "spectrap bench --kernel vmlinuz --mitigation ibrs,retpoline --policy passthrough --policy emulate --rounds 2 "
        + "--workload ibrs --workload retpoline --json - --append '\(words)'"
    ])

  /// The kernel chooses by itself here, and has SSBD in the register as well.
  static let intelIBRSKernel = LabHost(
    "intel-ibrs", withKernel: true,
    [
      "passthrough": boot("--policy passthrough --timer none", telling: "spec_store_bypass_disable=on"),
      "emulate": boot("--policy emulate --timer none", telling: ""),
      "adaptive": boot("--policy adaptive --timer none", telling: "spec_store_bypass_disable=on"),
    ])

  static let amdKernel = LabHost(
    "amd", withKernel: true,
    [
      "refused": boot("--policy emulate"), "dropped": boot("--policy emulate --drop-pred-cmd", telling: ""),
      "text": "spectrap boot vmlinuz --policy emulate --drop-pred-cmd --time-limit 5",
    ])

  fileprivate func guest(_ command: String) async throws -> BootReport {
    struct Document: Decodable { let guests: [BootReport] }
    let result = try await result(command)
    try #require(result.status == 0, "\(result.error)")
    return try #require(try JSONDecoder().decode(Document.self, from: Data(result.output.utf8)).guests.first)
  }
}

extension BootReport {
  fileprivate func figure(_ name: String) throws -> Figure { try #require(kernel.first { $0.name == name }) }
}

@Suite("A stock kernel on kvm_intel", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct IntelKernelTests {
  private let host = LabHost.intelKernel

  @Test(
    "boots under each policy, chooses what it is told to, and measures its own work",
    arguments: ["passthrough", "emulate", "shadow", "manual", "autoload", "adaptive"])
  func boots(policy: String) async throws {
    let guest = try await host.guest(policy)
    #expect(guest.end.how == "done" && guest.isLinux && guest.format == "bzImage" && guest.policy == policy)
    #expect(guest.mitigation?.hasPrefix("Mitigation: IBRS") == true, "\(guest.mitigation ?? "")")
    #expect(guest.bootSeconds ?? 0 > 0)
    #expect(guest.kernel.map(\.name) == ["getppid", "touched page", "untouched page", "pipe round trip"])
    for figure in guest.kernel { #expect(figure.median > 0, "\(figure.name)") }
    #expect(try guest.figure("touched page").median < 10, "no fault: a store, an addition and a loop")
  }

  @Test("that owns the register makes no exit for it", arguments: ["passthrough", "manual", "autoload"])
  func open(policy: String) async throws {
    let guest = try await host.guest(policy)
    #expect(guest.exits.byMSR["0x48"] == nil)
    #expect(try guest.figure("getppid").median < 1000)
  }

  @Test("whose writes are trapped writes twice at each call, and at interrupts", arguments: ["emulate", "shadow"])
  func trapped(policy: String) async throws {
    let figure = try await host.guest(policy).figure("getppid")
    #expect(figure.writes >= 2 * UInt64(figure.total))
    // What is more is two for each interrupt, and KVM counts an exit for each of those at least.
    let more = figure.writes - 2 * UInt64(figure.total)
    #expect(more <= 2 * ((figure.kvmExits ?? .max) - figure.writes))
    #expect(figure.median > 5000)
  }

  @Test("without a timer writes exactly twice at each system call")
  func exact() async throws {
    let figure = try await host.guest("emulate-exact").figure("getppid")
    #expect(figure.writes == 2 * UInt64(figure.total))
  }

  @Test("under adaptive opens the register, and its system calls cost what they cost under passthrough")
  func adaptive() async throws {
    let guest = try await host.guest("adaptive")
    #expect(guest.policyTally["opens"] ?? 0 >= 1)
    let open = try await host.guest("passthrough").figure("getppid").median
    #expect(try abs(guest.figure("getppid").median - open) < 0.05 * open)
  }

  @Test("that is told IBRS_ALL and may choose writes the register a few times at boot, and at no system call")
  func enhanced() async throws {
    let guest = try await host.guest("emulate-auto")
    #expect(guest.mitigation?.contains("Enhanced") == true, "\(guest.mitigation ?? "")")
    #expect((1...4).contains(guest.exits.byMSR["0x48"]?.writes ?? 0))
    #expect(try guest.figure("getppid").writes == 0)
  }

  @Test("that panics has its last lines told: status 70")
  func panic() async throws {
    let result = try await host.result("panic")
    #expect(result.status == 70 && result.error.contains("its kernel panicked"))
    #expect(result.output.contains("Kernel panic"))
  }
}

@Suite("A stock kernel in a benchmark on kvm_intel", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct KernelBenchTests {
  private func report() async throws -> BenchReport {
    let result = try await LabHost.intelKernelBench.result("bench")
    try #require(result.status == 0, "\(result.error)")
    return try JSONDecoder().decode(BenchReport.self, from: Data(result.output.utf8))
  }

  private func cells() async throws -> [BenchReport.Cell] { try await report().cells.filter { $0.kernel != nil } }

  @Test("has a cell for each work, policy and mitigation, measured in each round, and does what it is told")
  func whole() async throws {
    let cells = try await cells()
    #expect(cells.count == 3 * 2 * 2)
    for cell in cells {
      #expect(cell.isMeasured && cell.rounds.map(\.count) == [40, 40], "\(cell.id): \(cell.reason ?? "")")
      #expect(cell.kernel?.hasTaken == true && cell.kernel?.says?.hasPrefix("Mitigation: ") == true)
    }
    #expect(try await report().warnings.allSatisfy { !$0.contains("was told") })
  }

  @Test("has exact counts, for it has no timer: two trapped writes at each entry, four entries in a pipe's round trip")
  func counts() async throws {
    for cell in try await cells() {
      let kernel = try #require(cell.kernel)
      let isTrapped = cell.policy == .known(.emulate) && kernel.mitigation == .known(.ibrs)
      let each: [Known<KernelWork>: UInt64] = [.known(.getppid): 2, .known(.pageFault): 2, .known(.pipe): 8]
      let exact = isTrapped ? try #require(each[kernel.work]) * kernel.iterations : 0
      // The other end of the pipe waits in its next call when a round ends, or has yet to make it.
      let loose: UInt64 = isTrapped && kernel.work == .pipe ? 2 * UInt64(cell.rounds.count) : 0
      #expect(kernel.writes + loose >= exact && kernel.writes <= exact + loose, "\(cell.id): \(kernel.writes)")
      #expect(cell.place == (isTrapped ? .vmm : kernel.mitigation == .known(.ibrs) ? .hardware : .none), "\(cell.id)")
    }
  }

  @Test("measures the same in both rounds, and stands beside the small guests in the verdicts")
  func verdicts() async throws {
    let report = try await report()
    for cell in report.cells {
      guard let work = cell.kernel?.work else { continue }
      let medians = cell.rounds.map { $0.sorted()[$0.count / 2] }
      // What a fault costs depends on which pages the kernel has at hand.
      let tolerance = work == .getppid ? 0.005 : 0.25
      #expect(abs(medians[0] - medians[1]) < tolerance * medians[0], "\(cell.id): \(medians)")
    }
    let second = try #require(report.verdicts.first { $0.claim == .c2 })
    // With two light traps in it, which small guests measured.
    let raised = try #require(second.figures.first { $0.name.hasPrefix("getppid of a kernel") })
    #expect((5...20).contains(raised.value), "\(raised)")
    // Each kernel boots by itself and has pages of its own, so two are some instructions apart.
    let policies = try #require(report.verdicts.first { $0.claim == .c6 }?.kernel).figures
    #expect(!policies.isEmpty && policies.allSatisfy { (0.98...1.02).contains($0.value) }, "\(policies)")
  }
}

@Suite("A stock kernel on kvm_intel without IBRS_ALL", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct IntelIBRSKernelTests {
  private let host = LabHost.intelIBRSKernel

  @Test("chooses IBRS by itself, and writes it in the register")
  func chooses() async throws {
    let guest = try await host.guest("passthrough")
    #expect(guest.mitigation?.hasPrefix("Mitigation: IBRS") == true, "\(guest.mitigation ?? "")")
    #expect(guest.exits.byMSR["0x48"] == nil)
    let ssbd = SpecCtrl.ssbd.rawValue
    #expect(guest.specCtrl?.guest == ssbd && guest.specCtrl?.register == ssbd, "in user mode")
  }

  @Test("is told IBRS_ALL under emulate, believes it, and writes once")
  func believes() async throws {
    let guest = try await host.guest("emulate")
    #expect(guest.mitigation?.contains("Enhanced") == true, "\(guest.mitigation ?? "")")
    #expect((1...4).contains(guest.exits.byMSR["0x48"]?.writes ?? 0))
    #expect(guest.protection == "none")
  }

  @Test("under adaptive opens the register after its first busy writes, and finds its own value there")
  func adaptive() async throws {
    let guest = try await host.guest("adaptive")
    let open = try await host.guest("passthrough")
    #expect(guest.mitigation == open.mitigation && guest.policyTally["openAtEnd"] == 1)
    #expect(guest.specCtrl == open.specCtrl, "handed over, and written by the guest itself since")
    // The numbers of the protection's reason: an access trapped, an exit with the register open, the price.
    let costs = guest.protectionReason.split { !$0.isNumber }.compactMap { UInt64($0) }
    try #require(costs.count >= 3)
    let trapped = try #require(guest.exits.byMSR["0x48"]).writes
    let opens = try #require(guest.policyTally["opens"])
    // Each closed stretch ends when its rent passes the price; an exit takes off what it would cost while open.
    #expect(trapped * costs[0] <= opens * (costs[2] + costs[0]) + guest.exits.total * costs[1])
    #expect(trapped < 200)
  }

  @Test("under adaptive makes no exit in its system calls, which cost what they cost with the register open")
  func settled() async throws {
    let (guest, open) = try await (
      host.guest("adaptive").figure("getppid"), host.guest("passthrough").figure("getppid")
    )
    #expect(guest.writes == 0)
    #expect(abs(guest.median - open.median) < 0.02 * open.median, "\(guest.median), \(open.median)")
  }
}

@Suite("A stock kernel on kvm_amd without IBPB", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct AMDKernelTests {
  private let host = LabHost.amdKernel

  @Test("is refused under emulate, with the reason")
  func refused() async throws {
    let result = try await host.result("refused")
    #expect(result.status == 69)
    for words in ["IBPB", "IA32_PRED_CMD", "--drop-pred-cmd"] { #expect(result.error.contains(words), "\(words)") }
  }

  @Test("boots where its barriers are dropped, which every output says")
  func dropped() async throws {
    let guest = try await host.guest("dropped")
    #expect(guest.end.how == "done" && guest.droppedBarriers != nil)
    let text = try await host.result("text")
    #expect(text.output.contains("ran without its barriers"))
  }
}
