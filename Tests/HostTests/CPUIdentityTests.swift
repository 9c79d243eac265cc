// Which CPU this is and how fast its time-stamp counter runs, from files and from CPUID.

import Host
import Registers
import TestSupport
import Testing

@Suite("CPU identity")
struct CPUIdentityTests {
  private static let block = """
    processor\t: 0
    vendor_id\t: GenuineIntel
    cpu family\t: 6
    model\t\t: 85
    model name\t: Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz
    stepping\t: 7
    microcode\t: 0x5003801
    cpu MHz\t\t: 2999.998
    flags\t\t: fpu constant_tsc nonstop_tsc tsc_known_freq hypervisor
    power management:

    processor\t: 1
    vendor_id\t: SomethingElse
    model\t\t: 1

    """

  private let quiet = CPUIDModel([CPUIDEntry(function: 0), CPUIDEntry(function: 1)])

  @Test("comes from the first processor's block, and the count from the list of those online")
  func firstBlock() throws {
    let tree = try FixtureTree([
      "proc/cpuinfo": CPUIdentityTests.block, "sys/devices/system/cpu/online": "0-3,8,10-11\n",
    ])
    let cpu = CPUIdentity(files: tree.files, cpuid: quiet)
    #expect(cpu.vendor == "GenuineIntel")
    #expect(cpu.modelName == "Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz")
    #expect((cpu.family, cpu.model, cpu.stepping) == (6, 85, 7))
    #expect(cpu.microcode == "0x5003801")
    #expect(cpu.logicalCPUCount == 7)
    #expect(cpu.constantTSC && cpu.nonstopTSC && !cpu.invariantTSC)
  }

  @Test("falls back on CPUID, and on nothing")
  func fallback() throws {
    let tree = try FixtureTree()
    let empty = tree.files
    var model = CPUIDModel([CPUIDEntry(function: 1, eax: 0x0005_0657)])
    model.set(.invariantTSC, to: true)
    let cpu = CPUIdentity(files: empty, cpuid: model)
    #expect((cpu.family, cpu.model, cpu.stepping) == (6, 85, 7))
    #expect(cpu.invariantTSC && !cpu.constantTSC && !cpu.isVirtualised)
    let nothing = CPUIdentity(files: empty, cpuid: CPUIDModel())
    #expect(nothing.vendor == nil)
    #expect(nothing.family == nil && nothing.microcode == nil && nothing.logicalCPUCount == nil)
    #expect(nothing.tscFrequency == nil && nothing.hypervisorVendor == nil)
  }

  @Test("names the hypervisor that says it is there")
  func hypervisor() throws {
    var model = quiet
    model[0x4000_0000] = CPUIDEntry(
      function: 0x4000_0000, eax: 0x4000_0001, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d)
    let tree = try FixtureTree()
    #expect(CPUIdentity(files: tree.files, cpuid: model).hypervisorVendor == nil)
    model.set(.hypervisor, to: true)
    let cpu = CPUIdentity(files: tree.files, cpuid: model)
    #expect(cpu.isVirtualised)
    #expect(cpu.hypervisorVendor == "KVMKVMKVM")
  }

  @Test("does not count what is no list of CPUs", arguments: ["", "a", "3-1", "1-2-3", "0,", "-1", "99999999999"])
  func badLists(text: String) throws {
    let tree = try FixtureTree(["sys/devices/system/cpu/online": text])
    #expect(CPUIdentity(files: tree.files, cpuid: quiet).logicalCPUCount == nil)
  }

  @Test("of this host is known")
  func thisHost() {
    let cpu = CPUIdentity()
    #expect(cpu.vendor?.isEmpty == false)
    #expect((cpu.logicalCPUCount ?? 0) > 0)
  }
}

@Suite("TSC frequency")
struct TSCFrequencyTests {
  private func files(_ flags: String, _ more: [String: String] = [:]) throws -> FixtureTree {
    var contents = ["proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2596.154\nflags\t\t: \(flags)\n\n"]
    contents.merge(more) { $1 }
    return try FixtureTree(contents)
  }

  @Test("is the crystal's times its ratio where CPUID 15H tells both")
  func crystal() {
    // 24 MHz x 216 / 2, an Ice Lake client CPU.
    let model = CPUIDModel([CPUIDEntry(function: 0x15, eax: 2, ebx: 216, ecx: 24_000_000)])
    #expect(TSCFrequency(cpuid: model) == TSCFrequency(hertz: 2_592_000_000, source: .crystal))
  }

  @Test("does not overflow whatever CPUID says")
  func extremes() {
    let model = CPUIDModel([CPUIDEntry(function: 0x15, eax: 1, ebx: .max, ecx: .max)])
    #expect(TSCFrequency(cpuid: model)?.hertz == UInt64(UInt32.max) * UInt64(UInt32.max))
  }

  @Test("is the base frequency where the crystal is not told, and unknown without the ratio")
  func base() {
    let base = CPUIDEntry(function: 0x16, eax: 3000)
    #expect(
      TSCFrequency(cpuid: CPUIDModel([CPUIDEntry(function: 0x15, eax: 2, ebx: 250), base]))
        == TSCFrequency(hertz: 3_000_000_000, source: .base))
    #expect(TSCFrequency(cpuid: CPUIDModel([base])) == nil)
  }

  @Test("is the hypervisor's where its leaf reaches so far and its name is known")
  func hypervisor() {
    var model = CPUIDModel([
      CPUIDEntry(function: 0x4000_0000, eax: 0x4000_0010, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d),
      CPUIDEntry(function: 0x4000_0010, eax: 2_596_154),
    ])
    model.set(.hypervisor, to: true)
    #expect(TSCFrequency(cpuid: model) == TSCFrequency(hertz: 2_596_154_000, source: .hypervisor))
    model[0x4000_0000]?.eax = 0x4000_0001
    #expect(TSCFrequency(cpuid: model) == nil)
  }

  @Test("is the kernel's calibration where nothing scales the core")
  func processorFile() throws {
    let tree = try files("constant_tsc tsc_known_freq")
    let cpu = CPUIdentity(files: tree.files, cpuid: CPUIDModel())
    #expect(cpu.tscFrequency == TSCFrequency(hertz: 2_596_154_000, source: .processorFile))
  }

  @Test("is not taken from a core's frequency of the moment")
  func momentary() throws {
    let driver = ["sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "acpi-cpufreq\n"]
    let trees = [
      try files("constant_tsc"), try files("tsc_known_freq"), try files("constant_tsc tsc_known_freq aperfmperf"),
      try files("constant_tsc tsc_known_freq", driver),
    ]
    for tree in trees {
      #expect(CPUIdentity(files: tree.files, cpuid: CPUIDModel()).tscFrequency == nil)
    }
  }
}
