// What becomes of each claim on each host: that none is decided by a count of instructions, and what is said instead.

import Measurement
import TestSupport
import Testing

@Suite("The claims in the lab", .whenAskedFor, .needsTheLab, .boundedByMachines)
struct LabClaimTests {
  /// Of each claim on a host, what its line has to say beside "not possible here".
  private static let words: [String: [BenchReport.Claim: [String]]] = [
    "intel": withRegister.merging([.c3: ["this host has it"], .c7: ["this host has it"]]) { $0 + $1 },
    "intel-spr": withRegister.merging([.c3: ["this host has it"], .c7: ["this host has it"]]) { $0 + $1 },
    "intel-ibrs": withRegister,
    "amd-ibrs": withRegister.merging([
      .c1: ["have no PCID", "a trap that KVM ends (a write of 0 to SPEC_CTRL)"], .c2: ["have no PCID"],
      .c3: ["an instruction count does not decide that: by the entry syscall"],
      .c9: ["(isolated) with two writes that end in the hardware was not measured"],
    ]) { $1 },
    "amd": [
      .c1: ["have no PCID"], .c2: ["have no PCID"],
      .c3: ["no IA32_SPEC_CTRL"], .c4: ["no IA32_SPEC_CTRL"], .c5: ["no IA32_SPEC_CTRL"], .c6: ["no IA32_SPEC_CTRL"],
      .c7: ["no IA32_SPEC_CTRL"],
    ],
  ]

  private static let withRegister: [BenchReport.Claim: [String]] = [
    .c1: [
      "an instruction count does not decide that: a trap that KVM ends (a write of 0 to SPEC_CTRL)",
      "a system call as in 2018 (isolated)",
    ],
    .c2: ["an instruction count does not decide that: as in 2018 (isolated)", "for 3 times, an entry of"],
    .c3: ["an instruction count does not decide that: by the entry isolated"],
    .c4: ["four ioctls around each KVM_RUN", "judged by path lengths, the model holds: by hand is faster"],
    .c5: ["KVM was measured in one form", "judged by path lengths, the model"],
    .c6: ["an instruction count does not decide that: with 0 exits", "with 1 exit"],
    .c7: ["an instruction count does not decide that: 100 branches in user mode, IBRS=1"],
    .c8: ["KVM uses none here", "judged by path lengths, the model"],
    .c9: ["an instruction count does not decide that: isolated with both writes trapped / open"],
  ]

  @Test(arguments: ["intel", "intel-spr", "intel-ibrs", "amd-ibrs", "amd"])
  func `each is not possible where the clock counts instructions, and the reason is the host's`(name: String)
    async throws
  {
    let result = try await LabHost.named(name).result("claims")
    try #require(result.status == 0, "\(result.error)")
    // Lines are wrapped.
    let text = result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let starts = BenchReport.Claim.allCases.map {
      text.firstRange(of: "\($0.rawValue) NOT POSSIBLE HERE: ")?.lowerBound
    }
    for (index, claim) in BenchReport.Claim.allCases.enumerated() {
      let start = try #require(starts[index], "\(claim) on \(name): \(text)")
      let line = text[start..<(index + 1 < starts.count ? starts[index + 1] ?? text.endIndex : text.endIndex)]
      #expect(line.contains(claim.summary) && line.contains("this host's clock counts instructions"), "\(line)")
      for words in Self.words[name]?[claim] ?? [] { #expect(line.contains(words), "\(name): \(line)") }
    }
  }
}
