// A kernel and modules of a person's own in the lab: what boots, and what is said of what does not.

import FoundationEssentials
import TestSupport
import Testing

@Suite("Your own kernel and modules", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct OwnKernelTests {
  /// The lab's kernel laid out as a person's tree would have it: bzImage, and modules/…/*.ko.xz.
  private func tree(_ options: String...) async throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let made = try await Command.run(
      "scripts/lab.d/own-kernel", ["6.1", folder.path] + options, timeLimit: .seconds(120))
    try #require(made.status == 0, "\(made.error)")
    return folder
  }

  private func lab(_ tree: TemporaryFolder, _ arguments: String...) async throws -> Command {
    try await Command.run(
      "scripts/lab",
      ["intel", "--kernel", tree.path + "/bzImage", "--modules", tree.path + "/modules", "--binary", "/bin/true"]
        + arguments, timeLimit: .seconds(900))
  }

  @Test func `a bzImage boots with the .ko.xz below a folder`() async throws {
    let tree = try await tree()
    defer { tree.remove() }
    let result = try await lab(tree, "--", "sh", "-c", "lsmod | grep -o '^kvm_intel'; ls /dev/kvm")
    #expect(result.status == 0 && result.output == "kvm_intel\n/dev/kvm\n", "\(result.output)\(result.error)")
  }

  @Test func `a kernel that panics is said with its reason: status 70`() async throws {
    let tree = try await tree()
    defer { tree.remove() }
    let result = try await lab(tree, "--append", "rdinit=/nothing", "--", "true")
    #expect(result.status == 70 && result.error.contains("the machine panicked ("), "\(result.error)")
  }

  @Test func `a kernel that cannot be unpacked says so: status 70`() async throws {
    let tree = try await tree("--broken")
    defer { tree.remove() }
    let result = try await lab(tree, "--", "true")
    #expect(result.status == 70 && result.error.contains("the kernel stopped before it began ("), "\(result.error)")
  }

  @Test func `a module for another kernel is refused before anything boots, with both releases`()
    async throws
  {
    let tree = try await tree()
    defer { tree.remove() }
    // The first by path is taken.
    try FileManager.default.removeItem(atPath: tree.path + "/modules/deep")
    _ = try tree.write("\0vermagic=6.9.0-else SMP preempt \0", to: "modules/irqbypass.ko")
    let result = try await lab(tree, "--", "true")
    #expect(result.status == 65 && result.error.contains("is a module for Linux 6.9.0-else, and the kernel is 6.1."))
  }
}
