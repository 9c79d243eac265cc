// The scripts beside scripts/lab: what they refuse, and what the gate of the history lets through.

import FoundationEssentials
import TestSupport
import Testing

@Suite("scripts/lab-module, scripts/lab-bisect and scripts/lab-history", .whenAskedFor, .boundedByMachines)
struct ModuleScriptTests {
  private func run(_ script: String, _ arguments: [String]) async throws -> Command {
    try await Command.run("scripts/\(script)", arguments, timeLimit: .seconds(60))
  }

  @Test(
    arguments: [
      ("lab-module", [], "--output DIR is missing"),
      ("lab-module", ["--output", "/tmp", "--source", "/etc"], "has no arch/x86/kvm and virt/kvm"),
      ("lab-module", ["--output", "/tmp", "--edit", "/etc/passwd"], "is not a program"),
      ("lab-bisect", ["6.1"], "GOOD and BAD"),
      ("lab-bisect", ["--threshold", "much", "6.1", "6.12"], "is not a number"),
      ("lab-bisect", ["/etc/apt", "/etc/apt"], "holds no kvm.ko"),
      ("lab-history", ["--update", "--check"], "not both"),
    ] as [(String, [String], String)])
  func `wrong usage is refused with what is missing`(script: String, arguments: [String], message: String) async throws
  {
    let result = try await run(script, arguments)
    #expect(result.status == 64 && result.error.contains(message), "\(result.status) \(result.error)")
  }

  @Test func `the page's own figures pass the gate of lab-history; one that rises by 3 % fails and is named`()
    async throws
  {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let page = try String(contentsOfFile: Command.checkout + "/docs/history.md", encoding: .utf8)
    func column(_ head: String) throws -> String {
      let line = try #require(page.split(separator: "\n").first { $0.hasPrefix("| \(head) |") })
      return String(line.split(separator: "|")[1].filter { $0 != " " })
    }
    let emulator = try #require(page.split(separator: "\n").first { $0.hasPrefix("- emulator: ") }).dropFirst(12)
    let cpuid = try #require(Double(try column("CPUID")))
    func figures(_ factor: Double) -> String {
      """
      emulator \(emulator)
      kernel 6.1 release \((try? column("package")) ?? "") gcc 12.2.0
      cell 6.1 cpuid/none/passthrough \(cpuid * factor)

      """
    }
    for (factor, status, words) in [
      (1.0, 0, "none of 1 figures"), (1.03, 70, "CPUID of Linux 6.1 rose by more than 2 %"),
    ] {
      let file = try folder.write(figures(factor), to: "figures")
      let result = try await run("lab-history", ["--check", "--measured", file])
      #expect(result.status == Int32(status) && result.error.contains(words), "\(factor): \(result.error)")
    }
  }
}
