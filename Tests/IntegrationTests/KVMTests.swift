// KVM itself: that it is there where it must be, and that it answers the questions every other test builds on.

import Hypervisor
import Testing

@Suite("KVM")
struct KVMTests {
  @Test("is there where SPECTRAP_REQUIRE_KVM=1 says that it must be", .enabled(if: TestHost.mustHaveKVM))
  func isThere() throws {
    _ = try KVM()
  }

  @Test("offers what every run needs: user memory, an immediate exit, a supported CPUID", .needsKVM)
  func basics() throws {
    let kvm = try KVM()
    let needed = try ["USER_MEMORY", "IMMEDIATE_EXIT", "EXT_CPUID"].map { try #require(Capability(parsing: $0)) }
    let found = try needed.filter { try kvm.has($0) }
    #expect(found == needed)
    let unknown = try kvm.has(Capability(rawValue: 9999))
    #expect(!unknown)
    let model = try kvm.supportedCPUID()
    #expect(model.has(.msr))
    let msrs = try kvm.msrIndices()
    #expect(msrs.contains(.sysenterESP))
  }

  @Test("reads back the CPUID that a vCPU was given", .needsKVM)
  func cpuid() throws {
    let kvm = try KVM()
    let vm = try kvm.makeVM()
    var cpu = try vm.makeVCPU()
    var model = try kvm.supportedCPUID()
    // A brand that no processor has: KVM takes these leaves as they are.
    model[0x8000_0002] = CPUIDEntry(function: 0x8000_0002, eax: 0x5452_4150)
    try cpu.setCPUID(model)
    let told = try cpu.cpuid()
    #expect(told[0x8000_0002]?.eax == 0x5452_4150)
  }

  @Test("refuses a vCPU whose number is taken, negative or too large", .needsKVM)
  func vcpuNumbers() throws {
    let vm = try KVM().makeVM()
    let first = try vm.makeVCPU(id: 3)
    for id in [3, -1, .max, 1 << 20] {
      #expect(throws: KVMError.self, "id \(id)") { _ = try vm.makeVCPU(id: id) }
    }
    _ = try first.registers()
  }
}
