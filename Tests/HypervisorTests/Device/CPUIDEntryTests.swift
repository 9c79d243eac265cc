// A CPUID entry on its way to KVM and back.

import CKVM
import Hypervisor
import Testing

@Suite("A CPUID entry")
struct CPUIDEntryTests {
  @Test("goes to KVM and comes back unchanged")
  func roundTrip() {
    let entries = [
      CPUIDEntry(function: 0, eax: 0xd, ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65),
      CPUIDEntry(function: 7, index: 1, eax: 1, ebx: 2, ecx: 3, edx: 4),
    ]
    #expect(entries.map { CPUIDEntry($0.kvmEntry) } == entries)
    #expect(CPUIDEntry.significantIndex == UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX))
  }
}
