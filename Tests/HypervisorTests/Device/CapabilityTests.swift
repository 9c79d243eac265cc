// Capability numbers and names, compared with the machine's own <linux/kvm.h>.

import Hypervisor
import Testing

@Suite("Capability")
struct CapabilityTests {
  private static let header = HostFiles().text("usr/include/linux/kvm.h", limit: 1 << 20)

  @Test("has the number and the name that the machine's own header gives it", .enabled(if: header != nil))
  func agreesWithTheHeader() throws {
    let header = try #require(CapabilityTests.header)
    var compared = 0
    for line in header.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard words.count >= 3, words[0] == "#define", words[1].hasPrefix("KVM_CAP_"), let number = UInt32(words[2])
      else { continue }
      // A header newer than the table may know more; what both know must agree.
      guard let name = Capability.names[number] else {
        #expect(number > 251, "KVM_CAP number \(number) has no name here; the header calls it \(words[1])")
        continue
      }
      #expect("KVM_CAP_" + name == words[1])
      compared += 1
    }
    #expect(compared > 200)
  }

  @Test("has one number for each name")
  func unique() {
    #expect(Set(Capability.names.values).count == Capability.names.count)
    #expect(Capability.all.last?.rawValue == 251)
  }

  @Test("is read from a name in any case, with or without its prefix, and from a number")
  func parses() {
    for text in ["X86_MSR_FILTER", "kvm_cap_x86_msr_filter", "189"] {
      #expect(Capability(parsing: text) == .msrFilter)
    }
    for text in ["", "KVM_CAP_", "NO_SUCH", "-1", "4294967296"] {
      #expect(Capability(parsing: text) == nil)
    }
    #expect(Capability.msrFilter.description == "KVM_CAP_X86_MSR_FILTER")
    #expect(Capability(rawValue: 9999).description == "KVM_CAP_9999")
  }

  @Test("stands behind a constant of the same meaning")
  func constants() {
    let expected: [(Capability, String)] = [
      (.irqchip, "IRQCHIP"), (.pit2, "PIT2"), (.setTSSAddress, "SET_TSS_ADDR"),
      (.userSpaceMSR, "X86_USER_SPACE_MSR"), (.msrFilter, "X86_MSR_FILTER"), (.getMSRFeatures, "GET_MSR_FEATURES"),
      (.tscControl, "TSC_CONTROL"), (.tscDeadlineTimer, "TSC_DEADLINE_TIMER"), (.binaryStatistics, "BINARY_STATS_FD"),
    ]
    for (capability, name) in expected { #expect(capability.name == name) }
  }
}
