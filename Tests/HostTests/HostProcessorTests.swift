// Which of a host's processors differ, on made-up hosts and on this one.

import Registers
import TestSupport
import Testing

@testable import Host

@Suite("A processor of the host")
struct HostProcessorTests {
  @Test("is of the kind that the kernel lists it under, with its capacity and its highest frequency")
  func hybrid() throws {
    let tree = try FixtureTree([
      "sys/devices/cpu_core/cpus": "0-7\n", "sys/devices/cpu_atom/cpus": "8-15,20\n",
      "sys/devices/system/cpu/cpu3/cpu_capacity": "1024\n", "sys/devices/system/cpu/cpu20/cpu_capacity": "446\n",
      "sys/devices/system/cpu/cpu3/cpufreq/cpuinfo_max_freq": "5200000\n",
      "sys/devices/system/cpu/cpu20/cpufreq/cpuinfo_max_freq": "3900000\n",
    ])
    let (strong, weak) = (HostProcessor(3, files: tree.files), HostProcessor(20, files: tree.files))
    #expect((strong.core, strong.capacity, strong.maximumKilohertz) == (.performance, 1024, 5_200_000))
    #expect((weak.core, weak.capacity, weak.maximumKilohertz) == (.efficiency, 446, 3_900_000))
    #expect(HostProcessor(16, files: tree.files).core == nil, "listed nowhere")
  }

  @Test(
    "is of the kind that CPUID tells on it, where the kernel lists none",
    arguments: [
      (0x2000_0001, .efficiency), (0x4000_0001, .performance), (0, nil),
    ] as [(UInt32, HostProcessor.Core?)])
  func leaf(eax: UInt32, core: HostProcessor.Core?) throws {
    let tree = try FixtureTree()
    let cpuid = CPUIDModel([CPUIDEntry(function: 0x1a, eax: eax)])
    #expect(HostProcessor(0, files: tree.files, cpuid: cpuid).core == core)
    #expect(HostProcessor(0, files: tree.files).core == nil)
  }

  @Test("is nothing in particular where the files hold nonsense")
  func nonsense() throws {
    let tree = try FixtureTree([
      "sys/devices/cpu_core/cpus": "all\n", "sys/devices/system/cpu/cpu0/cpu_capacity": "much\n",
      "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "\n",
    ])
    let processor = HostProcessor(0, files: tree.files)
    #expect((processor.core, processor.capacity, processor.maximumKilohertz) == (nil, nil, nil))
  }
}
