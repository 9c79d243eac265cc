// `disassemble` and `list`: what there is, to read.

import TestSupport
import Testing

@Suite("The guests to read")
struct ListingTests {
  @Test("have a listing for every workload with every entry that it runs with, and for no other")
  func disassemble() throws {
    let entries = try Spectrap.names(of: "entries")
    let inventory = try Spectrap.inventory.get()
    for workload in ["workloads", "primitives"].flatMap({ inventory[$0]?.elements ?? [] }) {
      let possible = Set(workload["entries"]?.elements.map(\.name) ?? [])
      #expect(!possible.isEmpty)
      for entry in entries {
        let outcome = try Spectrap.run("disassemble", workload.name, "--entry", entry)
        guard possible.contains(entry) else {
          outcome.expectFailure(64, saying: "does not run with entry")
          continue
        }
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        let lines = outcome.output.split(separator: "\n")
        #expect(lines[0].hasPrefix("kernel, ") && lines[1].contains("boot:") && lines[1].contains("; "))
        #expect(lines.contains { $0.hasPrefix("user, ring 3") } == (entry != "none"))
        #expect(lines.contains { $0.contains("out 0xf4, al") }, "the doorbell")
      }
    }
  }

  @Test("show the MSR that is asked for")
  func msr() throws {
    #expect(try Spectrap.run("disassemble", "ibrs").output.contains("mov ecx, 0x48"))
    #expect(
      try Spectrap.run("disassemble", "ibrs", "--msr", "kernel_gs_base").output.contains("mov ecx, 0xc0000102"))
  }

  @Test("are listed with one line each")
  func list() throws {
    let outcome = try Spectrap.run("list", "--kvm", "/nonexistent")
    #expect(outcome.status == 0)
    for part in ["workloads", "primitives", "entries", "policies", "images"] {
      for name in try Spectrap.names(of: part) { #expect(outcome.output.contains("\n  \(name) ")) }
    }
  }

  @Test("cannot be written to a full disk: status 74", arguments: [["disassemble", "bare"], ["list", "--json"]])
  func fullDisk(arguments: [String]) throws {
    try Spectrap.run(arguments, outputPath: "/dev/full").expectFailure(74, saying: "standard output", "No space left")
  }
}
