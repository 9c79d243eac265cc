// `spectrap bench --kernel`: what is refused before anything is measured.

import FoundationEssentials
import GuestImages
import TestSupport
import Testing

@Suite("A benchmark of a kernel", .needsKVM, .bounded)
struct BenchKernelTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try Data(MadeImage.bzImage().bytes).write(to: URL(filePath: folder["vmlinuz"]))
    try Data(try MadeImage.multiboot { $0.ud2() }.bytes).write(to: URL(filePath: folder["other"]))
    try Data([1, 2, 3]).write(to: URL(filePath: folder["damaged"]))
  }

  private func bench(_ options: String...) throws -> Outcome {
    try Spectrap.run(["bench", "--rounds", "1", "--workload", "bare"] + options)
  }

  @Test("that cannot be read is refused: 66; one that is no Linux kernel: 65")
  func files() throws {
    try bench("--kernel", folder["missing"]).expectFailure(66, saying: "missing", "cannot be read")
    try bench("--kernel", folder["damaged"]).expectFailure(65, saying: "damaged")
    try bench("--kernel", folder["other"]).expectFailure(65, saying: "not a Linux kernel")
  }

  @Test("that this host cannot run is refused with the reason that `boot` gives: 69")
  func host() throws {
    let booted = try Spectrap.run(["boot", folder["vmlinuz"], "--time-limit", "5"])
    guard booted.status == 69 else { return }
    let outcome = try bench("--kernel", folder["vmlinuz"])
    outcome.expectFailure(69, saying: "cannot run on this host")
    #expect(outcome.errors == booted.errors && outcome.output.isEmpty)
  }

  @Test("that is to be the running one is looked for in /boot, which the sentence says where it is not there")
  func running() throws {
    let outcome = try bench("--kernel", "auto")
    guard [66, 77].contains(outcome.status) else { return }
    outcome.expectFailure(outcome.status, saying: "--kernel auto", "/boot/vmlinuz-", "name an image")
  }

  @Test("takes mitigations by name, and neither them nor --append nor another register without a kernel")
  func usage() throws {
    try bench("--kernel", folder["vmlinuz"], "--mitigation", "ibrs,lfence")
      .expectUsageError(saying: ["--mitigation", "auto, off, retpoline, ibrs"])
    try bench("--kernel", folder["vmlinuz"], "--mitigation", "").expectUsageError(saying: ["--mitigation"])
    try bench("--mitigation", "ibrs").expectUsageError(saying: ["--mitigation", "--kernel"])
    try bench("--append", "quiet").expectUsageError(saying: ["--append", "--kernel"])
    try bench("--kernel", folder["vmlinuz"], "--msr", "0x3b").expectUsageError(saying: ["IA32_SPEC_CTRL"])
  }
}
