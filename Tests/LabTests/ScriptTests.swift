// scripts/lab as a person at the terminal meets it: what a command sees there, and what is said when its time is up.

import TestSupport
import Testing

@Suite("scripts/lab", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct ScriptTests {
  private func lab(_ arguments: String...) async throws -> Command {
    // The program may have to be built first.
    try await Command.run("scripts/lab", ["amd"] + arguments, timeLimit: .seconds(900))
  }

  @Test func `a command has pipes and no terminal, so it draws no progress bars; its status is the lab's`() async throws
  {
    let shown = "for n in 0 1 2; do [ -t $n ] && echo terminal $n; done; echo out; echo error >&2; exit 7"
    let result = try await lab("--", "sh", "-c", shown)
    #expect(result.status == 7 && result.output == "out\nerror\n", "\(result.output)\(result.error)")
  }

  @Test func `where the time is up it says which option gives more`() async throws {
    let result = try await lab("--time-limit", "1", "--", "true")
    #expect(result.status == 75 && result.error.contains("--time-limit gives it longer"), "\(result.error)")
  }

  @Test func `a module for another kernel is refused before anything boots, with both releases`() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    _ = try folder.write("\0vermagic=6.9.0-else SMP preempt \0", to: "kvm.ko")
    let result = try await lab("--modules", folder.path, "--binary", "/bin/true", "--", "true")
    #expect(result.status == 65 && result.error.contains("is a module for Linux 6.9.0-else, and the kernel is 6."))
  }

  @Test func `a file that is no kernel, a parameter that is none and a version that is no word are wrong`() async throws
  {
    let notKernel = try await lab("--kernel", "Package.swift", "--", "true")
    #expect(notKernel.status == 65 && notKernel.error.contains("is not a bzImage"), "\(notKernel.error)")
    #expect(try await lab("--kernel", "newest", "--", "true").status == 64)
    #expect(try await lab("--kvm-parameters", "npt", "--", "true").status == 64)
  }

  @Test func `a parameter that the module does not have is said in the kernel's words; one that it has is set`()
    async throws
  {
    let unknown = try await lab("--kvm-parameters", "nonsense=1", "--binary", "/bin/true", "--", "true")
    #expect(unknown.status == 71 && unknown.error.contains("unknown parameter 'nonsense' ignored"), "\(unknown.error)")
    let known = try await lab(
      "--kvm-parameters", "nested=0 kvm.halt_poll_ns=7", "--append", "hello=lab", "--binary", "/bin/true", "--", "sh",
      "-c",
      "cat /sys/module/kvm_amd/parameters/nested /sys/module/kvm/parameters/halt_poll_ns; grep -o hello=lab /proc/cmdline"
    )
    #expect(known.status == 0 && known.output == "0\n7\nhello=lab\n", "\(known.output)\(known.error)")
  }
}
