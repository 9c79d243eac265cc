// Which kernel entries reach ring 0, and which policies can be honoured, on each of the lab's hosts: the table, written
// down.

import Measurement
import Testing

@Suite("What works on which host", .whenAskedFor, .needsTheLab, .timeLimit(.minutes(20)))
struct EntryTableTests {
  private static let reached = HostReport.Fact(works: true, seen: "the kernel was entered in ring 0")

  /// Where an entry works, the proof says so in these words; where one does not, it is `works: false` with what was
  /// seen.
  private static let entries: [String: [String: HostReport.Fact]] = [
    "intel": ["syscall": reached, "sysenter": reached, "breakpoint": reached, "undefined": reached],
    "intel-ibrs": ["syscall": reached, "sysenter": reached, "breakpoint": reached, "undefined": reached],
    "intel-old": ["syscall": reached, "sysenter": reached, "breakpoint": reached, "undefined": reached],
    "amd": ["syscall": reached, "sysenter": reached, "breakpoint": reached, "undefined": reached],
  ]

  private static let policies: [String: [String: Bool]] = [
    "intel": [
      "passthrough": true, "emulate": true, "autoload": true, "manual": true, "shadow": true, "adaptive": true,
    ],
    "intel-ibrs": [
      "passthrough": true, "emulate": true, "autoload": true, "manual": true, "shadow": true, "adaptive": true,
    ],
    "intel-old": [
      "passthrough": false, "emulate": true, "autoload": false, "manual": false, "shadow": true, "adaptive": true,
    ],
    "amd": [
      "passthrough": false, "emulate": true, "autoload": false, "manual": false, "shadow": true, "adaptive": true,
    ],
  ]

  @Test(arguments: ["intel", "intel-ibrs", "intel-old", "amd"])
  func `each kernel entry is proved or reported, as in the table`(name: String) async throws {
    #expect(try await Self.host(name).probe().entries == Self.entries[name])
  }

  @Test(arguments: ["intel", "intel-ibrs", "intel-old", "amd"])
  func `each policy can be honoured or not, as in the table`(name: String) async throws {
    #expect(try await Self.host(name).probe().policies?.compactMapValues(\.works) == Self.policies[name])
  }

  private static func host(_ name: String) -> LabHost {
    switch name {
    case "intel": .intel
    case "intel-ibrs": .intelIBRS
    case "intel-old": .intelOld
    default: .amd
    }
  }
}
