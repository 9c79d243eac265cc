// docs/architecture.md says which files name every policy, workload and claim: those are touched to add one. Here the
// sources are read for it, so that a list in a further file is noticed.

import FoundationEssentials
import Measurement
import Registers
import Testing

@Suite("To add something touches the files that docs/architecture.md names")
struct ArchitectureTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The sources by their paths below Sources.
  private static let sources: [String: String] = {
    let folder = root.appending(path: "Sources").path
    let paths = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
    return Dictionary(
      uniqueKeysWithValues: paths.filter { $0.hasSuffix(".swift") }.compactMap { path in
        FileManager.default.contents(atPath: "\(folder)/\(path)").map { (path, String(decoding: $0, as: UTF8.self)) }
      })
  }()

  /// The files that name each of these cases: a list of all, to which another would have to be added.
  private func lists(of cases: [String]) -> Set<String> {
    Set(
      Self.sources.filter { _, text in
        let words = Set(text.split { !$0.isLetter && !$0.isNumber && $0 != "." }.map(String.init))
        let declared = text.contains("CaseIterable")
        return cases.allSatisfy { words.contains(".\($0)") || declared && words.contains($0) }
      }.keys)
  }

  @Test("a policy: its name, and the switches beside the policies")
  func policies() {
    let expected: Set = [
      "Registers/Vocabulary/PolicyName.swift", "Registers/Vocabulary/PolicyMechanism.swift",
      "Hypervisor/Policies/PolicyName+Policies.swift",
    ]
    #expect(lists(of: PolicyName.allCases.map { "\($0)" }) == expected)
  }

  @Test("a workload: its name, and the switch beside the guests")
  func workloads() {
    let expected: Set = ["Registers/Vocabulary/WorkloadName.swift", "GuestImages/Guests/Workload.swift"]
    #expect(lists(of: WorkloadName.allCases.map { "\($0)" }) == expected)
  }

  @Test("a claim: its name, and the list of rules")
  func claims() {
    let expected: Set = ["Measurement/Bench/BenchReport+Conclusions.swift", "Measurement/Verdicts/ClaimRule.swift"]
    #expect(lists(of: BenchReport.Claim.allCases.map { "\($0)" }) == expected)
  }

  @Test("every file that the page names for that is there")
  func files() throws {
    let page = String(
      decoding: try Data(contentsOf: Self.root.appending(path: "docs/architecture.md")), as: UTF8.self)
    let start = try #require(page.firstRange(of: "## To add something")).upperBound
    let end = try #require(page[start...].firstRange(of: "\n## ")).lowerBound
    let named = page[start..<end].split { " |;:,()".contains($0) || $0.isNewline }.filter {
      $0.contains("/") && $0.hasSuffix(".swift")
    }
    #expect(named.count > 8)
    for path in named { #expect(Self.sources[String(path)] != nil, "\(path)") }
  }
}
