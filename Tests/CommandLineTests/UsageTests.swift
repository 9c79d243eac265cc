// Command lines that make no sense: status 64 (EX_USAGE), and what would make sense.

import FoundationEssentials
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
    for words in [["--iterations=\(count)"], ["--iterations", count]] {
      try Spectrap.run(["run", "bare"] + words)
        .expectUsageError(saying: ["'\(count)'", "--iterations", "a whole number from 1 on"])
    }
  }

  @Test("asks for more samples than iterations, or than there is room for")
  func samples() throws {
    try Spectrap.run("run", "bare", "--iterations", "3", "--samples", "5")
      .expectFailure(64, saying: "3 iterations over 5 samples")
    for count in ["0", "-1", "1000000"] {
      try Spectrap.run("run", "bare", "--iterations", "2000000", "--samples", count)
        .expectUsageError(saying: ["'\(count)'", "--samples", "a whole number from 1 to "])
    }
  }

  @Test("chooses writes or exits of a workload that has no such choice, or more than there can be")
  func perEntry() throws {
    for option in ["--writes-per-entry", "--exits-per-entry"] {
      try Spectrap.run("run", "bare", option, "1").expectUsageError(saying: [option, "is for the workload", "ibrs"])
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
    try Spectrap.run("run", "bare", "--iterations", text)
      .expectUsageError(saying: [text, "give a whole number from 1 on"])
  }

  @Test("gives a number below zero, which is no option's name: the answer has the range")
  func negative() throws {
    for (words, range) in [
      (["run", "ibrs", "--writes-per-entry", "-1"], "from 0 to 1000"),
      (["run", "bare", "--time-limit", "-0.5"], "from 0 to 1000000000 seconds"),
      (["bench", "--rounds", "-3"], "from 1 to 1000000"), (["bench", "--seed", "-1"], "from 0"),
      (["bench", "--cpu", "-1"], "a processor that this process may run on: "),
    ] { try Spectrap.run(words).expectUsageError(saying: ["The value '\(words.last ?? "")'", range]) }
    // It is not taken from behind a flag, and what follows "--" is no option's value.
    try Spectrap.run("run", "bare", "--json", "-5").expectUsageError(saying: ["--json", "-5"])
    try Spectrap.run("run", "bare", "--samples", "--", "-5").expectUsageError(saying: ["--samples"])
  }

  @Test("names a processor that there is none of: the answer has those that there are")
  func processor() throws {
    for number in ["99999", "first"] {
      try Spectrap.run("bench", "--cpu", number)
        .expectUsageError(saying: [number, "give a processor that this process may run on: 0"])
    }
  }

  @Test(
    "has a letter wrong: the answer says what was meant",
    arguments: [
      (["bnech"], "bench"), (["help", "bnech"], "bench"), (["prob"], "probe"), (["run", "ibsr"], "ibrs"),
      (["run", "bare", "--policy", "emulat"], "emulate"), (["run", "bare", "--policy", "pass"], "passthrough"),
      (["run", "bare", "--entry", "sycsall"], "syscall"), (["bench", "--workload", "retpolin"], "retpoline"),
      (["run", "bare", "--msr", "spec_ctl"], "IA32_SPEC_CTRL"), (["run", "bare", "--polcy", "emulate"], "'--policy'"),
      (["disassemble", "ibrs-al"], "ibrs-all"), (["resume", "file", "--policy", "shadwo"], "shadow"),
    ])
  func suggestion(words: [String], meant: String) throws {
    let outcome = try Spectrap.run(words)
    #expect(outcome.status == 64)
    #expect(outcome.errors.lowercased().contains("did you mean \(meant.lowercased())?"), "\(outcome.errors)")
  }

  @Test("has a word that is near to nothing: no guess is made", arguments: ["xyzzy", "x"])
  func noSuggestion(word: String) throws {
    for words in [[word], ["run", word], ["run", "bare", "--policy", word]] {
      let outcome = try Spectrap.run(words)
      outcome.expectUsageError(saying: [word, "give one of "])
      #expect(!outcome.errors.contains("mean"))
    }
  }

  @Test("has a socket's path that no address has room for")
  func socketPath() throws {
    let path = "unix:/" + String(repeating: "a", count: 107)
    for words in [
      ["receive", path], ["migrate", "--from", "guest.snap", "--to", path], ["run", "bare", "--migratable", path],
    ] { try Spectrap.run(words).expectUsageError(saying: ["at most 107 bytes", "108"]) }
  }

  @Test("cannot write on the terminal: no character of it orders the text, and no line is forged")
  func hostileWords() throws {
    for scalar in ["\u{202e}", "\u{2066}", "\u{200f}", "\u{feff}", "\u{1b}[2J", "\u{9b}", "\u{e0041}", "\r"] {
      let outcome = try Spectrap.run("run", "bare", "--policy", "a\(scalar)b")
      outcome.expectUsageError(saying: ["a\u{fffd}"])
      #expect(!outcome.errors.unicodeScalars.contains(scalar.unicodeScalars.first!))
    }
    for end in ["\n", "\u{2028}", "\u{2029}", "\u{85}", "\u{b}"] {
      try Spectrap.run("compare", "none\(end)spectrap: all is well", "none")
        .expectFailure(66, saying: "none\u{fffd}spectrap: all is well")
    }
  }
}

@Suite("The help")
struct HelpTests {
  private static let commands = [
    "probe", "list", "run", "boot", "resume", "inspect", "contract", "migrate", "receive", "bench", "fleet", "compare",
    "report", "plot", "disassemble",
  ]

  @Test("of every command has two examples of it, and a page to read that is there", arguments: commands)
  func examples(command: String) throws {
    let outcome = try Spectrap.run("help", command)
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(lines.count { $0.hasPrefix("  spectrap \(command)") } >= 2, "\(outcome.output)")
    let more = try #require(lines.first { $0.hasPrefix("More: ") })
    let pages = more.split(separator: " ").map { $0.trimmingSuffix { ".;".contains($0) } }.filter {
      $0.hasSuffix(".md")
    }
    #expect(!pages.isEmpty)
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
    for page in pages { #expect(FileManager.default.fileExists(atPath: root.appending(path: String(page)).path)) }
  }

  @Test("of the program names every command and what the exit statuses mean")
  func program() throws {
    let outcome = try Spectrap.run("--help")
    for command in Self.commands { #expect(outcome.output.contains("\n  \(command) "), "\(command)") }
    for status in ["64 ", "65 ", "66 ", "69 ", "70 ", "71 ", "74 ", "75 ", "77 ", "130 "] {
      #expect(outcome.output.contains("\n  \(status)"), "\(status)")
    }
  }
}

extension Substring {
  /// The text without characters of a kind at its end.
  fileprivate func trimmingSuffix(_ isOfKind: (Character) -> Bool) -> Substring {
    var text = self
    while let last = text.last, isOfKind(last) { text = text.dropLast() }
    return text
  }
}
