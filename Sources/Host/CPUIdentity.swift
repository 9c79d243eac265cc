// Which CPU this is, whether it is virtual, and the properties of its time-stamp counter.
//
// Facts: Linux arch/x86/kernel/cpu/proc.c (the fields of /proc/cpuinfo); Intel SDM vol. 3, "Invariant TSC" (CPUID
// 8000_0007H, EDX bit 8). A hypervisor can mask CPUID, and the kernel can overrule it, so both are kept.

public import Registers

/// The host's CPU, by the kernel and by CPUID.
public struct CPUIdentity: Hashable, Sendable {
  /// The vendor's twelve characters: `GenuineIntel`; nil when unknown.
  public let vendor: String?
  /// The brand: `AMD EPYC 9R14`; nil when unknown.
  public let modelName: String?
  /// The family; nil when unknown.
  public let family: Int?
  /// The model; nil when unknown.
  public let model: Int?
  /// The stepping; nil when unknown.
  public let stepping: Int?
  /// The microcode's revision as the kernel writes it (`0x1000065`); nil when unknown.
  public let microcode: String?
  /// How many logical CPUs are online; nil when unknown.
  public let logicalCPUCount: Int?
  /// Whether a hypervisor announces itself (CPUID 1, ECX bit 31).
  public let isVirtualised: Bool
  /// The hypervisor's signature (`KVMKVMKVM`); nil on bare metal or if it has none.
  public let hypervisorVendor: String?
  /// Whether the time-stamp counter runs at one rate in every P-state, by the kernel.
  public let constantTSC: Bool
  /// Whether it runs in deep C-states, by the kernel.
  public let nonstopTSC: Bool
  /// Whether CPUID promises both.
  public let invariantTSC: Bool
  /// The time-stamp counter's frequency, by CPUID or the kernel's files; nil if unknown.
  public let tscFrequency: TSCFrequency?

  /// Reads CPUID and the kernel's files.
  public init(files: HostFiles = HostFiles(), cpuid: CPUIDModel = .ofThisProcess()) {
    let block = ProcessorBlock(files: files)
    let flags = block.flags
    let signature = cpuid.signature
    vendor = block["vendor_id"] ?? cpuid.vendor
    modelName = block["model name"] ?? cpuid.brand
    family = block.number("cpu family") ?? signature?.family
    model = block.number("model") ?? signature?.model
    stepping = block.number("stepping") ?? signature?.stepping
    microcode = block["microcode"]
    logicalCPUCount = files.value("sys/devices/system/cpu/online").map { CPUList($0) }.flatMap {
      $0.isWhole ? $0.processors.count : nil
    }
    isVirtualised = cpuid.has(.hypervisor)
    hypervisorVendor = cpuid.hypervisorVendor
    constantTSC = flags.contains("constant_tsc")
    nonstopTSC = flags.contains("nonstop_tsc")
    invariantTSC = cpuid.has(.invariantTSC)
    tscFrequency = TSCFrequency(cpuid: cpuid) ?? TSCFrequency(block: block, files: files)
  }
}
