// `compare --baseline` and `--save-baseline`: results that are kept by name.

import FoundationEssentials
import TestSupport
import Testing

@Suite("A baseline", .needsKVM)
struct BaselineTests {
  /// Runs `compare` with baselines in a folder of the test's own.
  private func compare(in folder: TemporaryFolder, _ words: String...) throws -> Outcome {
    try Spectrap.run(["compare"] + words, under: ["env", "XDG_DATA_HOME=\(folder["data"])"])
  }

  @Test("is kept by its name, compared with, replaced, and not replaced by what does not pass the gate")
  func kept() throws {
    let folder = try TemporaryFolder()
    let file = try BenchResult.shared.get()
    let slower = try BenchResult.copy { $0.scaleCell("out/none/emulate", by: 3) }
    let first = try compare(in: folder, file.path, "--save-baseline", "main")
    #expect(first.status == 0 && first.output.isEmpty && first.errors.contains("saved as the baseline \"main\""))
    let gate = try compare(in: folder, slower.path, "--baseline", "main", "--threshold", "50")
    #expect(gate.status == 1 && gate.output.contains("became slower by more than 50 %"), "\(gate.output)")
    let refused = try compare(in: folder, slower.path, "--save-baseline", "main", "--threshold", "50")
    #expect(refused.status == 1 && !refused.errors.contains("saved"))
    let same = try compare(in: folder, file.path, "--baseline", "main", "--threshold", "50")
    #expect(same.status == 0 && same.output.hasPrefix("None of "), "\(same.errors)")
    let replaced = try compare(in: folder, slower.path, "--save-baseline", "main")
    #expect(replaced.status == 0 && replaced.output.contains("became slower") && replaced.errors.contains("saved"))
    #expect(try compare(in: folder, slower.path, "--baseline", "main", "--threshold", "50").status == 0)
  }

  @Test("that there is none of is refused, with those that there are: status 66")
  func missing() throws {
    let folder = try TemporaryFolder()
    let file = try BenchResult.shared.get().path
    try compare(in: folder, file, "--baseline", "main").expectFailure(66, saying: "\"main\"", "there are none")
    #expect(try compare(in: folder, file, "--save-baseline", "other").status == 0)
    try compare(in: folder, file, "--baseline", "main").expectFailure(66, saying: "there are: other")
  }

  @Test("has a name that is no path, and one first result", arguments: ["../up", ".hidden", "a/b", "-x", "a b"])
  func names(name: String) throws {
    let folder = try TemporaryFolder()
    let file = try BenchResult.shared.get().path
    try compare(in: folder, file, "--baseline=\(name)").expectUsageError(saying: [
      "--baseline", "give a name of at most",
    ])
    try compare(in: folder, file, file, "--baseline", "main").expectUsageError(saying: [
      "--baseline takes the place of the first result"
    ])
    try compare(in: folder, file).expectUsageError(saying: ["nothing to compare the result with", "--baseline"])
  }

  @Test("that cannot be kept is said: status 74, and 69 where there is no place")
  func unwritable() throws {
    let file = try BenchResult.shared.get().path
    try Spectrap.run("compare", file, "--save-baseline", "a", under: ["env", "XDG_DATA_HOME=/proc/nowhere"])
      .expectFailure(74, saying: "/proc/nowhere")
    try Spectrap.run("compare", file, "--save-baseline", "a", under: ["env", "-u", "HOME", "-u", "XDG_DATA_HOME"])
      .expectFailure(69, saying: "XDG_DATA_HOME")
  }
}
