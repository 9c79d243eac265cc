// The same kernel in its other form, by both of its entries, with an initrd that is not Spectrap's, and what is refused
// of a kernel.

import Boot
import FoundationEssentials
import TestSupport
import Testing

extension LabHost {
  private static let options = "--policy passthrough --time-limit 150"

  private static func telling(_ more: String = "") -> String { "--append '\(words)\(more)'" }

  /// Makes a user space of its own, which says something and ends, or sleeps for ever.
  private static let makeInitrd = """
    mkdir -p r/bin && cp /bin/busybox r/bin && cat >r/init <<'INIT'
    #!/bin/busybox sh
    echo a user space of its own
    [ "$sleeps" = yes ] && /bin/busybox sleep 100000
    /bin/busybox reboot -f
    INIT
    chmod 755 r/init && cd r && find . | cpio -o -H newc >../own.cpio
    """

  static let kernelForms = LabHost(
    "intel", withKernel: true,
    making: { folder in
      let file = folder.path + "/vmlinux"
      let made = try await Command.run("scripts/lab.d/vmlinux", [file], timeLimit: .seconds(120))
      guard made.status == 0 else { throw Command.Failure(description: made.error) }
      return [file, try folder.write(makeInitrd, to: "make-initrd")]
    },
    [
      "damaged": "sh -c 'head -c 3000000 vmlinuz >half && spectrap boot half \(options)'",
      "pvh": "spectrap boot vmlinux --entry pvh --json - \(options) \(telling())",
      "direct": "spectrap boot vmlinux --json - \(options) \(telling())",
      "make-initrd": "sh make-initrd",
      "own-initrd": "spectrap boot vmlinuz --initrd own.cpio \(options) \(telling())",
      "sleeps":
        "spectrap boot vmlinuz --initrd own.cpio --policy passthrough --time-limit 60 \(telling(" sleeps=yes"))",
      "large-initrd": "spectrap boot vmlinuz --initrd vmlinux --memory 80M \(options)",
      "long-line": "sh -c 'spectrap boot vmlinuz \(options) --append \"$(printf %03000d 0)\"'",
    ])
}

@Suite("A kernel in its other forms", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct KernelFormTests {
  private let host = LabHost.kernelForms

  @Test(
    "boots from its ELF file, by the 64-bit entry and by PVH, and measures its own work", arguments: ["pvh", "direct"])
  func vmlinux(command: String) async throws {
    struct Document: Decodable { let guests: [BootReport] }
    let result = try await host.result(command)
    try #require(result.status == 0, "\(result.error)")
    let document = try JSONDecoder().decode(Document.self, from: Data(result.output.utf8))
    let guest = try #require(document.guests.first)
    #expect(guest.end.how == "done" && guest.isLinux && guest.format == "elf64")
    #expect(guest.kernel.map(\.name) == ["getppid", "touched page", "untouched page", "pipe round trip"])
  }

  @Test("runs a user space that is brought along, to its end")
  func initrd() async throws {
    let made = try await host.result("make-initrd")
    try #require(made.status == 0, "\(made.error)")
    let result = try await host.result("own-initrd")
    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.contains("a user space of its own"))
    #expect(!result.output.contains("getppid"))
  }

  @Test("that sleeps for ever is stopped by its time limit: status 75")
  func sleeps() async throws {
    let result = try await host.result("sleeps")
    #expect(result.status == 75 && result.error.contains("stopped after 60"))
    #expect(result.output.contains("a user space of its own"))
  }

  @Test(
    "is refused with an initrd larger than memory, a command line that is too long, or when it is damaged: 65",
    arguments: [("large-initrd", "--memory"), ("long-line", "command line has"), ("damaged", "truncated")])
  func refused(command: String, words: String) async throws {
    let result = try await host.result(command)
    #expect(result.status == 65 && result.error.contains(words), "\(result.error)")
    #expect(result.error.split(separator: "\n").count == 1)
  }
}
