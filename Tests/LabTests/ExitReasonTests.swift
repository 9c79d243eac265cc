// What ended inside KVM, by name: KVM's statistics, and its reasons for exits by the kernel's trace event.

import FoundationEssentials
import Measurement
import TestSupport
import Testing

extension LabHost {
  private static let event = "/sys/kernel/tracing/events/kvm/kvm_exit"

  static let intelTraced = LabHost(
    "intel", options: ["--tracing"],
    [
      "cpuid": "spectrap run cpuid --policy emulate --iterations 1000 --trace-kvm --json",
      "ibrs": "spectrap run ibrs --entry syscall --policy emulate --iterations 1000 --trace-kvm --json",
      "text": "spectrap run ibrs-zero --entry syscall --policy passthrough --iterations 1000 --trace-kvm",
      // A guest in real mode that writes a letter to its serial port, and 0 to the status port.
      "boot":
        "sh -c 'printf \"\\260A\\272\\370\\003\\356\\260\\000\\346\\364\" >writer && "
        + "spectrap boot writer --flat 0x7c00 --policy passthrough --trace-kvm --json result >text && cat result'",
      "bench":
        "sh -c 'spectrap bench --workload cpuid --workload wrmsr --policy emulate --rounds 1 --trace-kvm --json result "
        + ">text && cat result'",
      "left": "cat \(event)/trigger",
    ])
}

@Suite("Exits by KVM's reason, on kvm_intel", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct ExitReasonLabTests {
  private let host = LabHost.intelTraced

  @Test(
    "are one for each instruction of a guest that is built to exit so, and add up to KVM's own count",
    arguments: [("cpuid", "CPUID", 1), ("ibrs", "MSR_WRITE", 2)] as [(String, String, UInt64)])
  func counts(command: String, reason: String, each: UInt64) async throws {
    let report = try await host.run(command)
    let reasons = try #require(report.kvm.exitReasons)
    // Beside them a guest looks at CPUID and sets up its system calls once.
    let built = each * report.iterations
    #expect((built...built + 16).contains(reasons[reason] ?? 0), "\(reasons)")
    #expect(reasons["IO_INSTRUCTION"] == 1, "the doorbell")
    #expect(reasons.values.reduce(0, +) == report.kvm.exits, "\(reasons)")
    #expect(report.kvm.statistics?["exits"] == report.kvm.exits)
  }

  @Test("stand in the text, the most frequent first, below the statistics that grew")
  func text() async throws {
    let result = try await host.result("text")
    try #require(result.status == 0, "\(result.error)")
    let lines = result.output.split(separator: "\n")
    let head = try #require(lines.firstIndex { $0.hasPrefix("Exits by KVM's reason") })
    let first = lines[head + 1].split(separator: " ")
    #expect(first.first == "MSR_WRITE" && (2000...2016).contains(Int(first.last ?? "") ?? 0), "\(result.output)")
    #expect(lines[..<head].contains { $0.hasPrefix("KVM's statistics") && !$0.contains(" exits ") })
  }

  @Test("are those of a booted guest")
  func boot() async throws {
    struct Document: Decodable {
      struct Guest: Decodable {
        struct Exits: Decodable {
          let kvm: UInt64
          let exitReasons: [String: UInt64]
          let kvmStatistics: [String: UInt64]
        }
        let exits: Exits
      }
      let guests: [Guest]
    }
    let result = try await host.result("boot")
    try #require(result.status == 0, "\(result.error)")
    let document = try JSONDecoder().decode(Document.self, from: Data(result.output.utf8))
    let exits = try #require(document.guests.first).exits
    #expect(exits.exitReasons["IO_INSTRUCTION"] == 2, "\(exits.exitReasons)")
    #expect(exits.exitReasons.values.reduce(0, +) == exits.kvm && exits.kvmStatistics["exits"] == exits.kvm)
  }

  @Test("are exact per entry in a benchmark, whose figures are those of runs without them")
  func bench() async throws {
    let result = try await host.result("bench")
    try #require(result.status == 0, "\(result.error)")
    let report = try JSONDecoder().decode(BenchReport.self, from: Data(result.output.utf8))
    for (id, reason) in [("cpuid/none/emulate", "CPUID"), ("wrmsr/none/emulate", "MSR_WRITE")] {
      let cell = try #require(report.cells.first { $0.id == id })
      #expect(cell.exitReasonsPerEntry?[reason] == 1, "\(id): \(cell.exitReasonsPerEntry ?? [:])")
      #expect(cell.kvmStatisticsPerEntry?["exits"] ?? 0 >= 1)
    }
  }

  @Test("leave no trigger behind")
  func restored() async throws {
    let left = try await host.result("left")
    #expect(left.status == 0 && !left.output.contains("hist:"), "\(left.output)")
  }

  @Test("are refused where no tracefs is, with what to do: status 69")
  func refused() async throws {
    let result = try await LabHost.amd.result("no-tracefs")
    #expect(result.status == 69 && result.error.contains("mount -t tracefs"), "\(result.status) \(result.error)")
  }
}
