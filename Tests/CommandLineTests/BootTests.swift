// `spectrap boot` as a person meets it: what is printed, what is refused, with which status.

import FoundationEssentials
import GuestImages
import TestSupport
import Testing

/// Images in a folder of their own.
private struct Images {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try add("pass.flat", Self.ending(with: 0, saying: "fine\n"))
    try add("fail.flat", Self.ending(with: 1, saying: "not\u{1b}[2Jfine\n"))
    try add("skip.flat", Self.ending(with: 38, saying: "no such processor\n"))
    try add(
      "spin.flat",
      MadeImage.multiboot { asm in
        asm.out("spinning\n".utf8, to: 0x3f8)
        asm.bind("again")
        asm.jmp("again")
      })
    try add(
      "sleep.flat",
      MadeImage.multiboot { asm in
        asm.bind("again")
        asm.hlt()
        asm.jmp("again")
      })
    try add("vmlinuz", MadeImage.bzImage())
    try add("vmlinux", MadeImage.elf64([0xf4], base: 0xffff_ffff_8000_0000, pvhEntry: UInt32(MadeImage.address)))
  }

  private static func ending(with status: UInt8, saying text: String) throws -> MadeImage {
    try MadeImage.multiboot { asm in
      asm.out(text.utf8, to: 0x3f8)
      asm.out([status], to: 0xf4)
    }
  }

  func add(_ name: String, _ image: MadeImage) throws { try Data(image.bytes).write(to: URL(filePath: path(name))) }
  func path(_ name: String) -> String { folder.path + "/" + name }
}

@Suite("spectrap boot", .needsKVM, .bounded)
struct BootTests {
  private let images: Images

  init() throws { images = try Images() }

  private func boot(_ names: String..., with options: [String] = []) throws -> Outcome {
    try Spectrap.run(["boot"] + names.map(images.path) + options)
  }

  @Test("shows the serial port, then how the guest ended and its exits: status 0")
  func pass() throws {
    let outcome = try boot("pass.flat")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.hasPrefix("fine\n"))
    for words in ["multiboot", "wrote 0 to the status port", "portOut", "emulate of IA32_SPEC_CTRL", "\nPASS "] {
      #expect(outcome.output.contains(words), "\(words)")
    }
  }

  @Test("of a test that fails says so: status 70; of one that skips: status 0")
  func verdicts() throws {
    let failed = try boot("fail.flat")
    failed.expectFailure(70, saying: "failed with status 1", "its last line was")
    #expect(failed.output.contains("\nFAIL "))
    #expect(!failed.errors.contains("\u{1b}"))
    let skipped = try boot("skip.flat")
    #expect(skipped.status == 0 && skipped.output.contains("\nSKIP "))
  }

  @Test("of several images is a suite, in plain text and in TAP")
  func suite() throws {
    let suite = try boot("pass.flat", "fail.flat", "skip.flat")
    suite.expectFailure(70, saying: "1 of 3 images failed")
    #expect(suite.output.hasSuffix("3 images: 1 pass, 1 fail, 1 skip\n"))
    let tap = try boot("pass.flat", "fail.flat", "skip.flat", "vmlinuz", with: ["--tap", "--memory", "16M"])
    #expect(tap.status == 70)
    let lines = tap.output.split(separator: "\n")
    #expect(lines.prefix(4) == ["TAP version 13", "1..4", "# fine", "ok 1 - \(images.path("pass.flat"))"])
    #expect(lines.contains { $0.hasPrefix("not ok 2 - \(images.path("fail.flat")) # ") })
    #expect(lines.contains("ok 3 - \(images.path("skip.flat")) # SKIP"))
    #expect(lines.contains { $0.hasPrefix("not ok 4 - \(images.path("vmlinuz"))") })
    #expect(!tap.output.contains("\u{1b}"), "a comment is a line of text")
  }

  @Test("is stopped by its time limit: status 75, with what there is to say")
  func timeLimit() throws {
    let outcome = try boot("spin.flat", with: ["--time-limit", "0.5"])
    outcome.expectFailure(75, saying: "stopped after 0.5 s", "partial", "spinning")
    #expect(outcome.output.contains("portOut") && outcome.output.contains("stopped by its time limit"))
    // One that sleeps for ever waits inside KVM, where nothing exits.
    try boot("sleep.flat", with: ["--time-limit", "0.5"]).expectFailure(75, saying: "stopped after 0.5 s")
  }

  @Test("enters a 64-bit ELF file by its PVH note where that is asked for, and refuses one that has none: 65")
  func pvh() throws {
    var asm = Assembler(origin: MadeImage.address, mode: .bits32)
    asm.out("entered\n".utf8, to: 0x3f8)
    asm.out([0], to: 0xf4)
    let program = try asm.assemble().bytes
    try images.add("pvh", .elf64(program, pvhEntry: UInt32(MadeImage.address)))
    let outcome = try boot("pvh", with: ["--entry", "pvh"])
    #expect(outcome.status == 0 && outcome.output.hasPrefix("entered\n"), "\(outcome.errors)")
    try images.add("plain", .elf64(program))
    try boot("plain", with: ["--entry", "pvh"]).expectFailure(65, saying: "no entry by the PVH protocol")
    try boot("pass.flat", with: ["--entry", "pvh"]).expectFailure(65, saying: "only a 64-bit ELF file")
  }

  @Test("writes JSON and the serial port's bytes to files")
  func files() throws {
    let (json, serial) = (images.path("out.json"), images.path("serial"))
    let outcome = try boot("fail.flat", with: ["--json", json, "--serial", serial, "--timer", "none"])
    #expect(outcome.status == 70)
    #expect(TemporaryFile.text(of: serial) == "not\u{1b}[2Jfine\n")
    let result = try JSONValue(parsing: TemporaryFile.text(of: json) ?? "")
    #expect(result["schemaVersion"]?.count == 2)
    let guest = try #require(result["guests"]?.elements.first)
    #expect(guest["end.status"]?.count == 1 && guest["end.verdict"] == .string("fail"))
    #expect(guest["timer"] == .string("none") && guest["format"] == .string("multiboot"))
    #expect(guest["exits.byReason.portOut"]?.count == guest["exits.total"]?.count)
  }

  @Test("gives its standard output to JSON alone where that is asked for")
  func jsonOutput() throws {
    let outcome = try boot("pass.flat", with: ["--json", "-"])
    #expect(outcome.status == 0 && outcome.errors.hasPrefix("fine\n"))
    #expect(try JSONValue(parsing: outcome.output)["guests"]?.elements.count == 1)
  }

  @Test("gives the guest the keyboard of a terminal, each key once; Ctrl-A x leaves: status 130", .needsTerminal)
  func keyboard() throws {
    let echo = try MadeImage.multiboot { asm in
      asm.bind("again")
      asm.mov(.edx, 0x3fd)
      asm.in(.al, .dx)
      asm.and(.eax, 1)
      asm.jcc(.zero, "again")
      asm.mov(.edx, 0x3f8)
      asm.in(.al, .dx)
      asm.out(.dx, .al)
      asm.jmp("again")
    }
    try images.add("echo.flat", echo)
    let command = "exec \(Spectrap.path) boot \(images.path("echo.flat")) --time-limit 20"
    let script =
      "{ sleep 2; printf 'k\\001\\001y'; sleep 1; printf '\\001x'; sleep 1; } "
      + "| script --quiet --return --command '\(command)' /dev/null"
    let outcome = try Child(["bash", "-c", script]).outcome(by: .now + Spectrap.patience)
    #expect(outcome.status == 130, "\(outcome.output)")
    #expect(outcome.output.contains("k\u{1}y"), "Ctrl-A twice is one, and the terminal repeats nothing")
    #expect(outcome.output.contains("stopped on request"))
  }

  @Test("refuses what is no image, with a sentence: 66 for what cannot be read, 65 for the rest")
  func refusals() throws {
    try boot("missing").expectFailure(66, saying: "No such file")
    try Spectrap.run("boot", images.folder.path).expectFailure(66, saying: "cannot be read")
    var damaged = try MadeImage.multiboot { $0.hlt() }
    damaged.bytes.removeLast()
    try images.add("damaged", damaged)
    try boot("damaged").expectFailure(65, saying: "truncated")
    damaged = MadeImage.bzImage()
    damaged.bytes.removeLast(100)
    try images.add("damaged", damaged)
    try boot("damaged").expectFailure(65, saying: "truncated")
    try boot("pass.flat", with: ["--initrd", images.path("pass.flat")]).expectFailure(65, saying: "only a Linux kernel")
    try boot("pass.flat", with: ["--append", String(repeating: "x", count: 4000)])
      .expectFailure(65, saying: "command line has", "at most")
    try boot("pass.flat", with: ["--drop-pred-cmd", "--hide", "SPEC_CTRL"]).expectFailure(69, saying: "IBPB")
  }

  @Test("takes a command line that begins with a dash, as kvm-unit-tests name what to leave out: status 0")
  func dash() throws {
    let outcome = try boot("pass.flat", with: ["--append", "-some_test -other*"])
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test("refuses options that make no sense, with what is possible: 64")
  func usage() throws {
    try boot("pass.flat", with: ["--memory", "5"]).expectUsageError(saying: ["1M", "3072M"])
    try boot("pass.flat", with: ["--hide", "IBRS_ALLL"]).expectUsageError(saying: ["did you mean IBRS_ALL?"])
    try boot("pass.flat", with: ["--flat", "0x100000"]).expectUsageError(saying: ["below 0x100000"])
    try boot("pass.flat", with: ["--timer", "hpet"]).expectUsageError(saying: ["pit, none"])
  }

  @Test("refuses a Linux kernel where SYSCALL leads nowhere, and a damaged or too large one where it does")
  func linux() throws {
    let list = try JSONValue(parsing: try Spectrap.run("list", "--json").output)
    let syscall = list["entries"]?.elements.first { $0.name == "syscall" }
    guard syscall?["works"] == .bool(true) else {
      for name in ["vmlinuz", "vmlinux"] {
        try boot(name).expectFailure(69, saying: "cannot run on this host", "SYSCALL", "INT3")
      }
      return
    }
    try boot("vmlinuz", with: ["--memory", "16M"]).expectFailure(65, saying: "--memory 18M or more")
    try images.folder.write(String(repeating: "x", count: 20 << 20), to: "initrd")
    try boot("vmlinuz", with: ["--memory", "32M", "--initrd", images.path("initrd")])
      .expectFailure(65, saying: "initrd", "--memory")
    try boot("vmlinuz", with: ["--append", String(repeating: "x", count: 3000)])
      .expectFailure(65, saying: "command line has", "at most")
  }
}
