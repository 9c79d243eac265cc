// The sample of a guest of one's own, built as its first lines say, and what becomes of guests that do not keep to the
// ABI.

import FoundationEssentials
import TestSupport
import Testing

@Suite("A guest of one's own", .needsKVM, .bounded)
struct OwnGuestTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let sample = Result {
    String(decoding: try Data(contentsOf: root.appending(path: "Examples/OwnGuest/entry.s")), as: UTF8.self)
  }

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Builds the sample by the commands that it names, with some of its text replaced.
  private func build(_ changes: (String, String)...) throws {
    var source = try Self.sample.get()
    for (old, new) in changes {
      try #require(source.contains(old), "\(old)")
      source = source.replacing(old, with: new)
    }
    try folder.write(source, to: "entry.s")
    let commands = source.split(separator: "\n").map { $0.drop { "# ".contains($0) } }.filter {
      $0.hasPrefix("as -o") || $0.hasPrefix("ld -static")
    }
    try #require(commands.count == 2)
    let built = try Child(["sh", "-c", "cd \(folder.path) && \(commands.joined(separator: " && "))"])
      .outcome(by: .now + Spectrap.patience)
    try #require(built.status == 0, "\(built.errors)")
  }

  private func run(_ options: String...) throws -> Outcome {
    try Spectrap.run(["run", "--image", folder["entry.elf"]] + options)
  }

  @Test("is built as its first lines say, runs under each policy, and is counted as it promises")
  func sample() throws {
    try build()
    for policy in try Spectrap.names(of: "policies") {
      let outcome = try run("--policy", policy, "--iterations", "50", "--json")
      guard outcome.status != 69 else { continue }
      try #require(outcome.status == 0, "\(policy): \(outcome.errors)")
      let json = try JSONValue(parsing: outcome.output)
      #expect(json["workload"] == .string("entry.elf") && json["entry"] == .string("breakpoint"))
      #expect(json["guest.expected.msrWrites"]?.count == 100 && json["guest.kernelEntries"]?.count == 50)
      if policy == "emulate" { #expect(json["exits.byReason.writeMSR"]?.count == 100) }
      #expect(json["guest.clockDoubt"] == .null && json["guest.sees"] == .null)
    }
    let text = try run().output
    #expect(text.contains(" entry.elf, 1000 iterations") && text.contains("(the image's own)"))
  }

  @Test("that breaks its promise is no result: status 70")
  func promise() throws {
    try build((".long 0, 2, 0, 0, 0", ".long 0, 3, 0, 0, 0"))
    try run("--iterations", "50").expectFailure(70, saying: "100 counted, 150 expected")
    try build(("    inc r13\n", ""))
    try run("--iterations", "50").expectFailure(70, saying: "kernel entries", "0 counted, 50 expected")
  }

  @Test("that lies about its clock is told apart by the host's: too much, and too little")
  func clock() throws {
    try build(("mov [rbx + 20], edx", "inc edx\n    mov [rbx + 20], edx"))
    let much = try run("--json")
    #expect(try JSONValue(parsing: much.output)["guest.clockDoubt"]?.name.contains("last longer") == true)
    let thousandTicks = "    mov eax, [rbx + 8]\n    mov edx, [rbx + 12]\n    add eax, 1000\n    adc edx, 0\n"
    try build(("    mov [rbx + 16], eax", thousandTicks + "    mov [rbx + 16], eax"))
    let little = try run("--iterations", "50000", "--json")
    #expect(try JSONValue(parsing: little.output)["guest.clockDoubt"]?.name.contains("is in none of them") == true)
    #expect(try run("--iterations", "50000").output.contains("CANNOT BE BELIEVED"))
  }

  @Test("that is hostile to its mailbox or faults ends with a sentence: status 70")
  func hostile() throws {
    try build(("mov dword ptr ds:[MAILBOX], 2", "mov dword ptr ds:[MAILBOX], 77"))
    try run().expectFailure(70, saying: "mailbox")
    try build(("    dec edi\n    jnz sample", "    mov dword ptr [rbx], 1\n    dec edi\n    jnz sample"))
    try run().expectFailure(70, saying: "changed the number of iterations")
    try build(("wrmsr                       # IBRS off", "ud2"))
    try run().expectFailure(70, saying: "invalid opcode (vector 6", "in ring 0")
    try build(("    out DOORBELL, al", "    out 0x77, al"))
    try run().expectFailure(70, saying: "0x77")
    // One that goes on for ever breaks its promise; one that does nothing for ever is stopped.
    try build(("jnz iteration", "jmp iteration"))
    try run("--iterations", "20", "--time-limit", "1").expectFailure(70, saying: "writes of IA32_SPEC_CTRL")
    try build(("    int3\n    dec ebp", "    jmp iteration\n    dec ebp"))
    try run("--time-limit", "0.5").expectFailure(75, saying: "stopped after 0.5 s")
  }

  @Test("is refused where there is none: 66; where it is none: 65; and with options that are not its: 64")
  func refusals() throws {
    try run().expectFailure(66, saying: "No such file")
    try folder.write("#!/bin/sh\n", to: "entry.elf")
    try run().expectFailure(65, saying: "entry.elf: ", "no ELF file", "guest-abi.md")
    try build()
    try Spectrap.run("run", "ibrs", "--image", folder["entry.elf"]).expectUsageError(saying: ["leave out the workload"])
    try Spectrap.run("run").expectUsageError(saying: ["or --image FILE"])
    try run("--entry", "syscall").expectUsageError(saying: ["its own entry"])
    try run("--snapshot-at", "5", folder["snapshot"]).expectUsageError(saying: ["can neither be paused nor moved"])
    try Spectrap.run("bench", "--guest", folder["entry.elf"]).expectUsageError(saying: ["NAME=FILE"])
    try Spectrap.run("bench", "--guest", "ibrs=\(folder["entry.elf"])")
      .expectFailure(64, saying: "name of one of Spectrap's own workloads")
    try Spectrap.run("bench", "--guest", "a=x", "--guest", "a=y").expectUsageError(saying: ["a name of its own"])
    try Spectrap.run("bench", "--guest", "a=\(folder["missing"])").expectFailure(66, saying: "No such file")
  }

  @Test("whose entry does not lead to ring 0 on this host is refused: 69; its cells in bench say why")
  func entries() throws {
    let list = try JSONValue(parsing: try Spectrap.run("list", "--json").output)
    let works = list["entries"]?.elements.first { $0.name == "syscall" }?["works"] == .bool(true)
    try build((".long 3  ", ".long 1  "))
    if works {
      #expect(try run().status == 0, "what it promises to enter by is a matter of its own")
    } else {
      try run().expectFailure(69, saying: "entry syscall does not work on this host")
    }
    let outcome = try Spectrap.run(
      "bench", "--workload", "bare", "--policy", "emulate", "--rounds", "1", "--guest", "mine=\(folder["entry.elf"])",
      "--verbose")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("mine/syscall/emulate") != works && outcome.output.contains("\nmine ") == works)
  }

  @Test("is measured beside the workloads, and void where it breaks its promise")
  func bench() throws {
    try build()
    let honest = folder["entry.elf"]
    #expect(try Child(["cp", honest, folder["mine"]]).outcome(by: .now + Spectrap.patience).status == 0)
    try build((".long 0, 2, 0, 0, 0", ".long 0, 1, 0, 0, 0"))
    let outcome = try Spectrap.run(
      "bench", "--workload", "bare", "--policy", "emulate", "--rounds", "2", "--guest", "mine=\(folder["mine"])",
      "--guest", "liar=\(folder["entry.elf"])", "--json", folder["result.json"])
    #expect(outcome.status == 70 && outcome.errors.contains("liar/breakpoint/emulate"), "\(outcome.errors)")
    let json = try JSONValue(parsing: folder.text(of: "result.json") ?? "")
    let cells = try #require(json["cells"]?.elements)
    let mine = try #require(cells.first { $0["id"]?.name == "mine/breakpoint/emulate" })
    #expect(mine["status"]?.name == "measured" && mine["place"]?.name == "VMM" && mine["writesPerEntry"]?.count == 2)
    #expect(mine["baseline"]?.name == "bare/breakpoint/emulate" && mine["baselineUse"]?.name == "divide")
    let liar = try #require(cells.first { $0["id"]?.name == "liar/breakpoint/emulate" })
    #expect(liar["status"]?.name == "void" && liar["reason"]?.name.contains("contradict") == true)
    #expect(outcome.output.contains("\nmine "))
  }
}
