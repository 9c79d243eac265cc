// What CPUID answers in this process, and answers that a hypervisor made up.

import Registers
import Testing

@testable import Host

@Suite("CPUID model")
struct ProcessCPUIDTests {
  @Test("of this process names its vendor and has 64-bit mode, within KVM's limit of entries")
  func thisProcess() {
    let model = CPUIDModel.ofThisProcess()
    #expect(model.vendor?.count == 12)
    #expect(model.has(.longMode) && model.has(.tsc))
    #expect(model.signature != nil)
    #expect(model.entries.count <= CPUIDModel.maximumEntries)
  }

  @Test("is read in bounded time from a CPUID that answers all ones to everything")
  func hostileCPUID() {
    let model = CPUIDModel.reading { leaf, subleaf in
      CPUIDEntry(function: leaf, index: subleaf, eax: leaf & 0xf000_0000 | 0x0fff_ffff, ebx: .max, ecx: .max, edx: .max)
    }
    #expect(model.entries.count <= CPUIDModel.maximumEntries)
  }

  @Test("does not take another leaf's data for a count of leaves")
  func outOfRange() {
    let model = CPUIDModel.reading { leaf, _ in CPUIDEntry(function: leaf, eax: leaf < 2 ? 1 : 0x1234) }
    #expect(model.entries.map(\.function) == [0, 1])
  }
}
