// scripts/kvm-unit-tests on a folder like that project's, with images made here; and what it and
// scripts/agree-with-kvm-unit-tests refuse.

import FoundationEssentials
import GuestImages
import TestSupport
import Testing

@Suite("scripts/kvm-unit-tests", .needsKVM, .bounded)
struct SuiteScriptTests {
  private static let scripts = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "scripts").path

  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder["x86"], withIntermediateDirectories: false)
  }

  private func add(_ name: String, _ image: MadeImage) throws {
    try Data(image.bytes).write(to: URL(filePath: folder["x86/\(name)"]))
  }

  private func script(_ name: String, _ arguments: String...) throws -> Outcome {
    try Child(["\(Self.scripts)/\(name)"] + arguments).outcome(by: .now + Spectrap.patience)
  }

  @Test("runs what a machine here can run, with its arguments, and says why it skips the rest")
  func suite() throws {
    // It passes where its command line, behind its name, ends with an "x".
    try add(
      "one.flat",
      MadeImage.multiboot { asm in
        asm.mov(.esi, .at(.ebx, 16))
        asm.xor(.ecx, .ecx)
        asm.bind("next")
        asm.mov(.al, .at(.esi))
        asm.inc(.esi)
        asm.cmp(.al, 0)
        asm.jcc(.equal, "end")
        asm.mov(.ecx, .eax)
        asm.jmp("next")
        asm.bind("end")
        asm.mov(.eax, .ecx)
        asm.and(.eax, 0xff)
        asm.xor(.eax, 0x78)
        asm.mov(.edx, 0xf4)
        asm.out(.dx, .eax)
      })
    try folder.write(
      """
      # A comment
      [newer]
      file = one.flat
      test_args = 'a x'

      [older]
      file = one.flat
      extra_params = -cpu max -append "b x"
      groups = some

      [fails]
      file = one.flat
      test_args = y

      [many]
      file = one.flat
      smp = 4

      [device]
      file = one.flat
      qemu_params = -device edu

      [elsewhere]
      file = two.flat

      [narrow]
      file = one.flat
      arch = i386
      """, to: "x86/unittests.cfg")
    let all = try script("kvm-unit-tests", folder.path, "--spectrap", Spectrap.path)
    #expect(all.status == 70 && all.errors.contains("1 of 7 tests failed"), "\(all.errors)")
    let lines = all.output.split(separator: "\n").filter { !$0.hasPrefix("# ") }
    #expect(lines.prefix(2) == ["TAP version 13", "1..7"] && lines.count == 9)
    for line in [
      "many # SKIP it wants 4 processors, and a machine here has one", "device # SKIP it wants QEMU's -device",
      "elsewhere # SKIP two.flat is not built", "narrow # SKIP it is for 32-bit builds",
    ] { #expect(lines.contains { $0.hasPrefix("ok ") && $0.hasSuffix(" - \(line)") }, "\(line)") }
    #expect(lines.contains { $0.hasPrefix("ok ") && $0.hasSuffix(" - newer") })
    #expect(lines.contains { $0.hasPrefix("ok ") && $0.hasSuffix(" - older") })
    #expect(
      lines.contains { $0.hasPrefix("not ok ") && $0.contains(" - fails # ") && $0.contains("failed with status") })
    let one = try script("kvm-unit-tests", folder.path, "newer", "--spectrap", Spectrap.path)
    #expect(one.status == 0 && one.output == "TAP version 13\n1..1\nok 1 - newer\n")
  }

  @Test("and its companion refuse a folder that is none, and options that there are not, in a sentence")
  func refusals() throws {
    for name in ["kvm-unit-tests", "agree-with-kvm-unit-tests"] {
      for (arguments, status): ([String], Int32) in [
        ([], 64), (["--bogus"], 64), ([folder["missing"]], 66), ([folder.path], 66), (["--spectrap"], 64),
      ] {
        let outcome = try Child(["\(Self.scripts)/\(name)"] + arguments).outcome(by: .now + Spectrap.patience)
        #expect(outcome.status == status && outcome.errorLines.count == 1, "\(name) \(arguments): \(outcome.errors)")
        #expect(outcome.errors.hasPrefix("\(name): "))
      }
    }
    try folder.write("[one]\nfile = one.flat\n", to: "x86/unittests.cfg")
    #expect(try script("kvm-unit-tests", folder.path, "two").status == 64)
    #expect(try script("kvm-unit-tests", folder.path, "--lab", "moon").status == 64)
    #expect(try script("kvm-unit-tests", folder.path, "--list").output == "one # SKIP one.flat is not built\n")
  }
}
