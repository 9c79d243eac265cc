// The properties in which a host's logical processors can differ: the kind of the core, and the highest frequency.
//
// Facts: Linux tools/perf/Documentation/intel-hybrid.txt (/sys/devices/cpu_core/cpus, /sys/devices/cpu_atom/cpus);
// Documentation/ABI/testing/sysfs-devices-system-cpu (cpu_capacity, cpufreq: cpuinfo_max_freq in kHz); Intel SDM vol.
// 2, CPUID leaf 1AH (EAX bits 31:24, the kind of the core that executes it: 20H Atom, 40H Core).

public import Registers

/// One logical processor.
public struct HostProcessor: Hashable, Sendable {
  /// The kind of a core, on a hybrid processor.
  public enum Core: String, Hashable, Sendable {
    case performance, efficiency
  }

  /// Its number.
  public let cpu: Int
  /// The kind of its core; nil if there is only one kind.
  public let core: Core?
  /// Its capacity, 1024 for the host's strongest processor; nil if unknown.
  public let capacity: Int?
  /// Its highest frequency in kHz; nil if unknown.
  public let maximumKilohertz: Int?

  /// Reads the kernel's files; `cpuid` was read on this processor by a thread bound to it.
  public init(_ cpu: Int, files: HostFiles = HostFiles(), cpuid: CPUIDModel? = nil) {
    self.cpu = cpu
    func isListed(_ kind: String) -> Bool {
      files.value("sys/devices/\(kind)/cpus").map { CPUList($0).processors.contains(cpu) } ?? false
    }
    core =
      if isListed("cpu_core") {
        .performance
      } else if isListed("cpu_atom") || isListed("cpu_lowpower") {
        .efficiency
      } else {
        cpuid.flatMap { Core(leaf1A: $0[0x1a]) }
      }
    let folder = "sys/devices/system/cpu/cpu\(cpu)"
    capacity = files.value("\(folder)/cpu_capacity").flatMap { Int($0) }
    maximumKilohertz = files.value("\(folder)/cpufreq/cpuinfo_max_freq").flatMap { Int($0) }
  }
}

extension HostProcessor.Core {
  fileprivate init?(leaf1A: CPUIDEntry?) {
    switch leaf1A.map({ $0.eax >> 24 }) {
    case 0x20: self = .efficiency
    case 0x40: self = .performance
    default: return nil
    }
  }
}
