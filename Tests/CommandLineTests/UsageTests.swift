// Command lines that make no sense: status 64 (EX_USAGE), and what would make sense.

import TestSupport
import Testing

@Suite("A command line that makes no sense")
struct UsageTests {
  @Test("names a workload that there is none of: the answer lists those that there are")
  func workload() throws {
    for command in ["run", "disassemble"] {
      try Spectrap.run(command, "nonsense").expectUsageError(
        saying: ["nonsense"] + Spectrap.names(of: "workloads") + Spectrap.names(of: "primitives"))
    }
  }

  @Test("names an entry or a policy that there is none of: the answer lists those that there are")
  func entryAndPolicy() throws {
    try Spectrap.run("run", "bare", "--entry", "nonsense")
      .expectUsageError(saying: ["nonsense"] + Spectrap.names(of: "entries"))
    try Spectrap.run("run", "bare", "--policy", "nonsense")
      .expectUsageError(saying: ["nonsense"] + Spectrap.names(of: "policies"))
  }

  @Test("names an MSR that there is none of: the answer lists names and says that a number will do")
  func msr() throws {
    for name in ["NONSENSE", "0x", "0x1ffffffff", "-1"] {
      try Spectrap.run("run", "ibrs", "--msr=\(name)")
        .expectUsageError(saying: ["\"\(name)\" is no MSR", "0x48", "IA32_SPEC_CTRL", "IA32_PRED_CMD"])
    }
  }

  @Test("asks for no iterations, or for fewer than samples", arguments: ["0", "-5"])
  func iterations(count: String) throws {
    try Spectrap.run("run", "bare", "--iterations=\(count)").expectFailure(64, saying: "\(count) iterations over")
  }

  @Test("asks for more samples than iterations, or than there is room for")
  func samples() throws {
    try Spectrap.run("run", "bare", "--iterations", "3", "--samples", "5")
      .expectFailure(64, saying: "3 iterations over 5 samples")
    for count in ["0", "-1", "1000000"] {
      try Spectrap.run("run", "bare", "--iterations", "2000000", "--samples=\(count)")
        .expectFailure(64, saying: "\(count) samples: from 1 to ")
    }
  }

  @Test("chooses writes or exits of a workload that has no such choice, or more than there can be")
  func perEntry() throws {
    for option in ["--writes-per-entry", "--exits-per-entry"] {
      try Spectrap.run("run", "bare", option, "1").expectUsageError(saying: [option, "are for the workload ibrs"])
      for count in ["-1", "1001"] {
        try Spectrap.run("run", "ibrs", "\(option)=\(count)").expectUsageError(saying: [option, "from 0 to 1000"])
      }
    }
  }

  @Test("chooses branches in user mode of a workload that has no such choice, or of one without user mode")
  func userBranches() throws {
    try Spectrap.run("run", "bare", "--user-branches", "1").expectUsageError(saying: ["--user-branches", "ibrs-forced"])
    for count in ["-1", "1000001"] {
      try Spectrap.run("run", "ibrs-all", "--user-branches=\(count)").expectUsageError(saying: ["from 0 to 1000000"])
    }
    try Spectrap.run("run", "ibrs-forced", "--user-branches", "5", "--entry", "none")
      .expectFailure(64, saying: "5 indirect branches in user mode", "entry none")
  }

  @Test("chooses the phases of a workload that has none, or of no length; or accepts for a policy that opens nothing")
  func phases() throws {
    try Spectrap.run("run", "ibrs", "--phase-length", "5")
      .expectUsageError(saying: ["--phase-length is for the workload phases"])
    for length in ["0", "-1", "4294967296"] {
      try Spectrap.run("run", "phases", "--phase-length=\(length)").expectUsageError(saying: ["from 1 to 2147483647"])
    }
    try Spectrap.run("run", "ibrs", "--accept-unprotected")
      .expectUsageError(saying: ["--accept-unprotected is for the policy adaptive"])
  }

  @Test("asks for a workload with an entry that it does not run with")
  func combination() throws {
    for command in ["run", "disassemble"] {
      try Spectrap.run(command, "probe", "--entry", "syscall")
        .expectFailure(64, saying: "workload probe does not run with entry syscall", "it runs with none")
    }
  }

  @Test("gives a time limit that is none", arguments: ["-1", "nan", "inf", "1e10", "soon"])
  func timeLimit(seconds: String) throws {
    try Spectrap.run("run", "bare", "--time-limit=\(seconds)").expectUsageError(saying: ["--time-limit"])
  }

  @Test("asks to print and to time each exit at once")
  func traceAndHistogram() throws {
    try Spectrap.run("run", "bare", "--trace", "--histogram").expectUsageError(saying: ["exclude each other"])
  }

  @Test("gives numbers that are none, or too large for any", arguments: ["many", "1.5", "99999999999999999999"])
  func numbers(text: String) throws {
    try Spectrap.run("run", "bare", "--iterations", text).expectUsageError(saying: [text])
  }
}
