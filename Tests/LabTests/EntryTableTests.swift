// Which kernel entries reach ring 0, and which policies can be honoured, on each of the lab's hosts: the table, written
// down.

import Measurement
import Registers
import TestSupport
import Testing

@Suite("What works on which host", .whenAskedFor, .needsTheLab, .bounded)
struct EntryTableTests {
  private static let reached = HostReport.Fact(works: true, seen: "the kernel was entered in ring 0")

  /// Where an entry works, the proof says so in these words; where one does not, it is `works: false` with what was
  /// seen.
  private static let entries: [String: [Known<Entry>: HostReport.Fact]] = [
    "intel": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
    ],
    "intel-spr": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
    ],
    "intel-ibrs": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
    ],
    "intel-old": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
    ],
    "amd-ibrs": [
      .known(.syscall): reached, .known(.sysenter): reached,
      // Bochs' SVM.
      .known(.breakpoint): HostReport.Fact(works: false, seen: "the kernel's code ran in ring 0"),
      .known(.undefined): reached,
    ],
    "amd": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
    ],
  ]

  private static let policies: [String: [Known<PolicyName>: Bool]] = [
    "intel": [
      .known(.passthrough): true, .known(.emulate): true, .known(.autoload): true, .known(.manual): true,
      .known(.shadow): true, .known(.adaptive): true,
    ],
    "intel-spr": [
      .known(.passthrough): true, .known(.emulate): true, .known(.autoload): true, .known(.manual): true,
      .known(.shadow): true, .known(.adaptive): true,
    ],
    "intel-ibrs": [
      .known(.passthrough): true, .known(.emulate): true, .known(.autoload): true, .known(.manual): true,
      .known(.shadow): true, .known(.adaptive): true,
    ],
    "intel-old": [
      .known(.passthrough): false, .known(.emulate): true, .known(.autoload): false, .known(.manual): false,
      .known(.shadow): true, .known(.adaptive): true,
    ],
    "amd-ibrs": [
      .known(.passthrough): true, .known(.emulate): true, .known(.autoload): true, .known(.manual): true,
      .known(.shadow): true, .known(.adaptive): true,
    ],
    "amd": [
      .known(.passthrough): false, .known(.emulate): true, .known(.autoload): false, .known(.manual): false,
      .known(.shadow): true, .known(.adaptive): true,
    ],
  ]

  @Test(arguments: ["intel", "intel-spr", "intel-ibrs", "intel-old", "amd-ibrs", "amd"])
  func `each kernel entry is proved or reported, as in the table`(name: String) async throws {
    #expect(try await Self.host(name).probe().entries == Self.entries[name])
  }

  @Test(arguments: ["intel", "intel-spr", "intel-ibrs", "intel-old", "amd-ibrs", "amd"])
  func `each policy can be honoured or not, as in the table`(name: String) async throws {
    #expect(try await Self.host(name).probe().policies?.compactMapValues(\.works) == Self.policies[name])
  }

  private static func host(_ name: String) -> LabHost {
    switch name {
    case "intel": .intel
    case "intel-spr": .intelSPR
    case "intel-ibrs": .intelIBRS
    case "intel-old": .intelOld
    case "amd-ibrs": .amdIBRS
    default: .amd
    }
  }
}
