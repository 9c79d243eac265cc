// The frequency of the time-stamp counter, as CPUID or the kernel reports it; never a guess.
//
// Facts: Intel SDM vol. 2, CPUID leaves 15H (crystal and ratio) and 16H (base frequency); leaf 0x4000_0010 as VMware
// defined it and KVM's users adopted it (EAX: kHz); Linux arch/x86/kernel/tsc.c, native_calibrate_tsc and
// determine_cpu_tsc_frequencies (`cpu MHz` without a frequency driver is what the counter was calibrated to).

public import Registers

/// The frequency of the time-stamp counter, and its source.
public struct TSCFrequency: Hashable, Sendable {
  /// Where the frequency comes from.
  public enum Source: String, Hashable, Sendable {
    /// CPUID 15H: the crystal's frequency times its ratio; exact to the crystal.
    case crystal = "CPUID 0x15"
    /// CPUID 16H: the base frequency, to the nearest MHz.
    case base = "CPUID 0x16"
    /// The hypervisor's leaf 0x4000_0010, to the nearest kHz.
    case hypervisor = "CPUID 0x40000010"
    /// The kernel's calibration in /proc/cpuinfo, to the nearest kHz.
    case processorFile = "/proc/cpuinfo"
  }

  public let hertz: UInt64
  public let source: Source

  /// This frequency.
  public init(hertz: UInt64, source: Source) {
    self.hertz = hertz
    self.source = source
  }

  /// The frequency in CPUID; nil if it has none.
  public init?(cpuid: CPUIDModel) {
    let ratio = cpuid[0x15].flatMap { $0.eax != 0 && $0.ebx != 0 ? $0 : nil }
    if let ratio, ratio.ecx != 0 {
      // Both factors have 32 bits, so the product fits.
      self.init(hertz: UInt64(ratio.ecx) * UInt64(ratio.ebx) / UInt64(ratio.eax), source: .crystal)
    } else if ratio != nil, let megahertz = cpuid[0x16].map({ $0.eax & 0xffff }), megahertz != 0 {
      // With a ratio but no crystal frequency, the counter runs at the base frequency (as Linux assumes).
      self.init(hertz: UInt64(megahertz) * 1_000_000, source: .base)
    } else if let kilohertz = CPUIDModel.hypervisorKilohertz(cpuid) {
      self.init(hertz: UInt64(kilohertz) * 1000, source: .hypervisor)
    } else {
      return nil
    }
  }

  /// The frequency in /proc/cpuinfo; nil if its `cpu MHz` is the core's present frequency instead of the counter's.
  init?(block: ProcessorBlock, files: HostFiles) {
    let flags = block.flags
    guard flags.contains("constant_tsc"), flags.contains("tsc_known_freq"), !flags.contains("aperfmperf"),
      files.value("sys/devices/system/cpu/cpu0/cpufreq/scaling_driver") == nil,
      let kilohertz = block["cpu MHz"].flatMap(TSCFrequency.kilohertz(megahertz:)), kilohertz > 0
    else { return nil }
    self.init(hertz: kilohertz * 1000, source: .processorFile)
  }

  /// Reads `2596.154` as 2596154 without the rounding of a binary fraction.
  static func kilohertz(megahertz text: String) -> UInt64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count == 3, let whole = UInt32(parts[0]), let thousandths = UInt32(parts[1]) else {
      return nil
    }
    return UInt64(whole) * 1000 + UInt64(thousandths)
  }
}

extension CPUIDModel {
  /// Only with these hypervisors leaf 0x4000_0010 is a frequency.
  fileprivate static func hypervisorKilohertz(_ model: CPUIDModel) -> UInt32? {
    guard ["KVMKVMKVM", "VMwareVMware"].contains(model.hypervisorVendor),
      let head = model[firstHypervisorLeaf], head.eax >= 0x4000_0010,
      let kilohertz = model[0x4000_0010]?.eax, kilohertz != 0
    else { return nil }
    return kilohertz
  }
}
