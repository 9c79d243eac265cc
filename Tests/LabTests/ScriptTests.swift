// scripts/lab as a person at the terminal meets it: what a command sees there, and what is said when its time is up.

import TestSupport
import Testing

@Suite("scripts/lab", .whenAskedFor, .needsTheLab, .bounded)
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
}
