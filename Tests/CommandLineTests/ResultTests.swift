// What `probe`, `list` and `run` print on a host with KVM.

import TestSupport
import Testing

@Suite("A result", .needsKVM)
struct ResultTests {
  /// Runs a command that must succeed, and reads its JSON.
  private func json(_ arguments: String...) throws -> JSONValue {
    let outcome = try Spectrap.run(arguments + ["--json"])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try JSONValue(parsing: outcome.output)
  }

  @Test("of `run` has every key that is documented")
  func keys() throws {
    let result = try json("run", "ibrs", "--iterations", "20")
    for path in [
      "schemaVersion", "identity", "host", "workload", "parameters", "entry", "entryChoice", "policy", "iterations",
      "samples",
      "protection.level",
      "protection.reason", "completed", "stopped", "exits.total", "exits.byReason", "exits.byMSR",
      "exits.interruptions", "kvm.exits", "kvm.lightExits", "kvm.statistics", "kvm.whyNone", "guest.cyclesPerIteration",
      "guest.distribution.median", "guest.kernelEntries", "guest.expected.msr", "guest.expected.mmioWrites",
      "guest.expected.halts", "guest.told", "guest.sees", "guest.probe",
      "vmm.cyclesPerExit", "vmm.roundTrips", "msr.name", "msr.index", "msr.start", "msr.end", "msr.registerStart",
      "msr.registerEnd", "policyTally",
    ] { #expect(result[path] != nil, "\(path)") }
    #expect(result["completed"] == .bool(true) && result["stopped"] == .null)
  }

  @Test("of 100 iterations of `ibrs` under emulate holds 200 writes, by reason and by MSR")
  func ibrs() throws {
    let result = try json("run", "ibrs", "--iterations", "100")
    #expect(result["policy"] == .string("emulate"))
    #expect(result["exits.byMSR.0x48.writes"]?.count == 200 && result["exits.byMSR.0x48.reads"]?.count == 0)
    #expect(result["exits.byReason.writeMSR"]?.count == 200 && result["exits.byReason.portOut"]?.count == 1)
    #expect(result["exits.total"]?.count == 201)
    #expect(result["guest.expected.msrWrites"]?.count == 200 && result["guest.kernelEntries"]?.count == 100)
  }

  @Test("of `ibrs` holds as many writes and exits for each entry as were chosen")
  func perEntry() throws {
    let result = try json(
      "run", "ibrs", "--iterations", "30", "--writes-per-entry", "4", "--exits-per-entry", "3")
    #expect(result["exits.byReason.writeMSR"]?.count == 120 && result["exits.byReason.portOut"]?.count == 91)
    #expect(result["parameters.writesPerEntry"]?.count == 4 && result["parameters.exitsPerEntry"]?.count == 3)
  }

  @Test("of the guests that take branches in user mode holds how many were chosen, and the same exits")
  func userBranches() throws {
    for (workload, writes) in [("ibrs", 60), ("ibrs-all", 1), ("ibrs-forced", 31)] {
      let result = try json("run", workload, "--iterations", "30", "--user-branches", "500")
      #expect(result["parameters.userBranches"]?.count == 500)
      #expect(result["exits.byReason.writeMSR"]?.count == writes && result["exits.byReason.portOut"]?.count == 1)
      #expect(result["guest.kernelEntries"]?.count == 30)
    }
  }

  @Test("of `phases` holds the writes of one half of its phases and the exits of the other")
  func phases() throws {
    let result = try json("run", "phases", "--iterations", "35", "--phase-length", "10")
    #expect(result["exits.byReason.writeMSR"]?.count == 40 && result["exits.byReason.portOut"]?.count == 16)
    #expect(result["parameters.phaseLength"]?.count == 10)
  }

  @Test("under adaptive tells how often it switched, and why it does not or by which costs")
  func adaptive() throws {
    let result = try json("run", "ibrs", "--policy", "adaptive", "--iterations", "30")
    for key in ["opens", "closes", "openAtEnd"] { #expect(result["policyTally.\(key)"]?.count != nil, "\(key)") }
    let reason = "\(result["protection.reason"] ?? .null)"
    #expect(reason.contains("never opened to the guest: ") || reason.contains("measured here at start-up"))
  }

  @Test("takes the MSR by name or by number")
  func msr() throws {
    for name in ["IA32_KERNEL_GS_BASE", "kernel_gs_base", "0xC0000102"] {
      let result = try json("run", "ibrs", "--entry", "none", "--iterations", "10", "--msr", name)
      #expect(result["msr.name"] == .string("IA32_KERNEL_GS_BASE"))
      #expect(result["exits.byMSR.0xc0000102.writes"]?.count == 20)
      #expect(result["protection.level"] == .string("notApplicable"))
    }
  }

  @Test("with --trace comes with one line for each exit on standard error")
  func trace() throws {
    let outcome = try Spectrap.run("run", "ibrs", "--iterations", "30", "--trace", "--json")
    #expect(outcome.status == 0)
    #expect(outcome.errorLines.count == (try JSONValue(parsing: outcome.output)["exits.total"]?.count))
    #expect(outcome.errorLines.count { $0.contains("writeMSR IA32_SPEC_CTRL") } == 60)
  }

  @Test("with --histogram holds the round trips of every exit")
  func histogram() throws {
    let result = try json("run", "probe", "--iterations", "3", "--histogram")
    #expect(result["vmm.roundTrips.readMSR.count"]?.count == 12 && result["vmm.roundTrips.writeMSR.count"]?.count == 9)
    let text = try Spectrap.run("run", "probe", "--histogram").output
    #expect(text.contains("KVM_RUN, cycles") && text.contains("What the guest saw"))
  }

  @Test("of `run` as text names host, policy, protection and the three witnesses")
  func text() throws {
    let outcome = try Spectrap.run("run", "chatty", "--iterations", "50")
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    for words in ["chatty, 50 iterations in 20 samples", "emulate of IA32_SPEC_CTRL (0x48)", "protects", "VMM", "KVM"] {
      #expect(outcome.output.contains(words), "\(words)")
    }
    let outs = outcome.output.split(separator: "\n").first { $0.hasPrefix("portOut") }
    #expect(outs?.split(separator: " ") == ["portOut", "51", "51"])
  }

  @Test("of `run` says of what the guest is told only what was read back, as `probe` and `list` do")
  func told() throws {
    for policy in ["emulate", "adaptive", "shadow", "passthrough"] {
      let probe = try json("probe")["host.policies.\(policy)"]
      guard probe?["works"] == .bool(true) else { continue }
      let result = try json("run", "ibrs", "--iterations", "20", "--policy", policy)
      let reason = try #require(result["protection.reason"]).name
      let isMisled = result["guest.told.ibrsAll"] == .bool(true) && result["protection.level"] == .string("none")
      #expect(reason.contains("the guest is told IBRS_ALL") == isMisled, "\(reason)")
      let seen = try #require(probe?["seen"]).name
      #expect(seen.contains("the guest is told IBRS_ALL") == isMisled, "\(seen)")
      // One fact has one wording.
      let text = try Spectrap.run("run", "ibrs", "--iterations", "20", "--policy", policy).output
      let words = try #require(text.split(separator: "\n").first { $0.hasPrefix("protects ") }).dropFirst(8)
      let level = try #require(words.split(separator: ";").first).drop { $0 == " " }
      #expect(seen.hasPrefix("protects: \(level); "), "\(seen) \(words)")
    }
  }

  @Test("names what the guest is told, and of more than one thing that it is not told, none")
  func toldWords() throws {
    let text = try Spectrap.run("run", "ibrs", "--iterations", "20").output
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("guest is told") })
    #expect(!line.contains(/\bno [^,]*,/), "\(line)")
  }

  @Test("holds a cost of an exit for a guest that exits, and none for one whose run is something else than its exits")
  func costOfExit() throws {
    for (workload, exits) in [("ibrs", true), ("chatty", true), ("bare", false), ("ibrs-all", false)] {
      let result = try json("run", workload, "--iterations", "50")
      #expect((result["vmm.cyclesPerExit"] != .null) == exits, "\(workload)")
      let text = try Spectrap.run("run", workload, "--iterations", "50").output
      #expect(text.contains("cycles per exit") == exits && text.contains("no cost of an exit") == !exits)
    }
  }

  @Test(
    "is had from two witnesses where KVM's own count is refused, and says so",
    .enabled(if: (try? Spectrap.run(["--version"], under: ["prlimit"]).status) == 0, "needs prlimit (util-linux)"))
  func twoWitnesses() throws {
    // With ever fewer descriptors, the one for the statistics is the first that a run can do without.
    var seen = false
    for count in 4...12 {
      let outcome = try Spectrap.run(
        ["run", "ibrs", "--iterations", "20", "--json"], under: ["prlimit", "--nofile=\(count)"])
      // The dynamic linker itself needs one: then the program has not run.
      if outcome.status == 127 { continue }
      guard outcome.status == 0 else {
        outcome.expectFailure(71, saying: "Too many open files")
        continue
      }
      let result = try JSONValue(parsing: outcome.output)
      #expect(result["exits.total"]?.count == 41)
      #expect((result["kvm.exits"] == .null) == (result["kvm.whyNone"] != .null))
      guard let why = result["kvm.whyNone"]?.name, !why.isEmpty else { continue }
      seen = true
      #expect(why.contains("KVM_GET_STATS_FD: Too many open files"))
      let text = try Spectrap.run(["run", "ibrs", "--iterations", "20"], under: ["prlimit", "--nofile=\(count)"])
      #expect(text.status == 0 && text.output.contains("WARNING         two witnesses instead of three: "))
    }
    #expect(seen)
  }

  @Test("of `probe` tells each proof with what was seen, the same that `list` tells")
  func probe() throws {
    let (probe, list) = (try json("probe"), try json("list"))
    #expect(probe["schemaVersion"]?.count == 2 && list["schemaVersion"]?.count == 1)
    for (key, part) in [("entries", "entries"), ("policies", "policies")] {
      let facts = try #require(probe["host.\(key)"]).members
      #expect(!facts.isEmpty)
      for item in try #require(list[part]).elements where item.name != "none" {
        #expect(facts[item.name]?["works"] == item["works"], "\(item.name)")
      }
    }
    #expect(probe["host.specCtrlProof.seen"] != nil && !(probe["host.capabilities"]?.members.isEmpty ?? true))
    let text = try Spectrap.run("probe").output
    for words in ["SPEC_CTRL", "IBRS_ALL", "entry syscall", "policy emulate"] { #expect(text.contains(words)) }
  }

  @Test("is had with every entry that `list` says works, and refused with the others: status 69")
  func entries() throws {
    for item in try #require(try json("list")["entries"]).elements {
      let outcome = try Spectrap.run("run", "bare", "--entry", item.name, "--iterations", "5", "--json")
      if item["works"] == .bool(true) {
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try JSONValue(parsing: outcome.output)["entry"] == .string(item.name))
      } else {
        outcome.expectFailure(69, saying: "entry \(item.name) does not work on this host", "spectrap list")
      }
    }
  }

  @Test("is had with every policy that `list` says works, and refused with the others: status 69")
  func policies() throws {
    for item in try #require(try json("list")["policies"]).elements {
      let outcome = try Spectrap.run("run", "ibrs", "--policy", item.name, "--iterations", "5")
      if item["works"] == .bool(true) {
        #expect(outcome.status == 0, "\(outcome.errors)")
      } else {
        outcome.expectFailure(69, saying: "policy \(item.name) cannot run on this host", "0x48")
      }
    }
  }

  @Test("is refused where the hardware's rules forbid it on any host: status 69")
  func forbidden() throws {
    try Spectrap.run("run", "ibrs", "--policy", "autoload", "--msr", "IA32_GS_BASE")
      .expectFailure(69, saying: "policy autoload cannot run on this host", "VMCS")
  }

  @Test("that standard output does not take is a failure: status 74", arguments: [true, false])
  func fullDisk(json: Bool) throws {
    let arguments = ["run", "bare", "--iterations", "5"] + (json ? ["--json"] : [])
    try Spectrap.run(arguments, outputPath: "/dev/full").expectFailure(74, saying: "standard output", "No space left")
  }
}
