// The README's program is the example that is built here, to the letter, and does what its comments say.

import Glibc
import TestSupport
import Testing

@Suite("The README")
struct ReadmeTests {
  /// The root of the checkout, three folders above this file.
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  private static func text(_ path: String) throws -> String {
    try #require(TemporaryFile.text(of: "\(root)/\(path)"), "\(path) cannot be read")
  }

  @Test("shows the example program as it is built")
  func example() throws {
    let program = try Self.text("Examples/CountExits/CountExits.swift")
    #expect(try Self.text("README.md").contains("```swift\n\(program)```"))
  }

  @Test("shows a program that counts one write and the HLT after it", .needsKVM)
  func exampleRuns() throws {
    let outcome = try Child([Spectrap.folder + "CountExits"]).outcome(by: .now + Spectrap.patience)
    #expect(outcome.status == 0, "\(outcome.errors)")
    // What protects it, if anything, depends on the host.
    let lines = outcome.output.split(separator: "\n", maxSplits: 1)
    #expect(lines.first?.hasPrefix("protected: ") == true)
    #expect(
      try #require(lines.last) == """
        the guest finished after 2 exits
        writes of SPEC_CTRL: 1
        the guest reads IBRS from now on

        """)
  }

  @Test("has a document that shows the migration plan as it is printed")
  func plan() throws {
    let outcome = try Spectrap.run("migrate", "--plan")
    #expect(outcome.status == 0)
    #expect(try Self.text("docs/migration.md").contains("```\n\(outcome.output)```"))
  }

  @Test("names every policy and every workload of the program")
  func names() throws {
    let readme = try Self.text("README.md")
    for name in try Spectrap.names(of: "policies") + Spectrap.names(of: "workloads") {
      #expect(readme.contains("`\(name)`"), "the README does not mention \(name)")
    }
  }
}
