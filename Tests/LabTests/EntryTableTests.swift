// Which kernel entries reach ring 0, and which policies can be honoured, on each of the lab's hosts: the table, written
// down.

import Measurement
import Registers
import TestSupport
import Testing

@Suite("What works on which host", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct EntryTableTests {
  private static let reached = HostReport.Fact(works: true, seen: "the kernel was entered in ring 0")
  private static let isolated = HostReport.Fact(
    works: true,
    seen: "the kernel was entered in ring 0; CR3 was 0x32000 in the kernel and 0x33800 in user mode")

  private static let withoutPCID = HostReport.Fact(
    works: false, seen: "guests of this KVM have no PCID (CPUID.01H.0:ECX[17]), which this entry's CR3 writes need")

  /// Where an entry works, the proof says so in these words; where one does not, it is `works: false` with what was
  /// seen.
  private static let entries: [String: [Known<Entry>: HostReport.Fact]] = [
    "intel": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): isolated,
    ],
    "intel-spr": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): isolated,
    ],
    "intel-list": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): isolated,
    ],
    "intel-shadow": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): isolated,
    ],
    "intel-ibrs": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): isolated,
    ],
    "intel-old": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): isolated,
    ],
    "amd-ibrs": [
      .known(.syscall): reached, .known(.sysenter): reached,
      // Bochs' SVM.
      .known(.breakpoint): HostReport.Fact(works: false, seen: "the kernel's code ran in ring 0"),
      .known(.undefined): reached, .known(.isolated): withoutPCID,
    ],
    "amd": [
      .known(.syscall): reached, .known(.sysenter): reached, .known(.breakpoint): reached, .known(.undefined): reached,
      .known(.isolated): withoutPCID,
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
    "intel-list": [
      .known(.passthrough): true, .known(.emulate): true, .known(.autoload): true, .known(.manual): true,
      .known(.shadow): true, .known(.adaptive): true,
    ],
    "intel-shadow": [
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

  @Test(arguments: ["intel", "intel-spr", "intel-list", "intel-shadow", "intel-ibrs", "intel-old", "amd-ibrs", "amd"])
  func `each kernel entry is proved or reported, as in the table`(name: String) async throws {
    #expect(try await LabHost.named(name).probe().entries == Self.entries[name])
  }

  @Test(arguments: ["intel", "intel-spr", "intel-list", "intel-shadow", "intel-ibrs", "intel-old", "amd-ibrs", "amd"])
  func `each policy can be honoured or not, as in the table`(name: String) async throws {
    #expect(try await LabHost.named(name).probe().policies?.compactMapValues(\.works) == Self.policies[name])
  }
}
