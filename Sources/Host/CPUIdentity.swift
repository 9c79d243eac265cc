// Which CPU this is, whether a hypervisor stands before it, and what its time-stamp counter promises.
//
// Facts: Linux arch/x86/kernel/cpu/proc.c (the fields of /proc/cpuinfo); Intel SDM vol. 3, "Invariant TSC" (CPUID
// 8000_0007H, EDX bit 8). CPUID can be masked by a hypervisor, and the kernel can overrule it: both are kept.

public import Registers

/// The host's CPU, by the kernel's account and by CPUID's.
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
  /// Whether a hypervisor says that it is there (CPUID 1, ECX bit 31): clear means bare metal, or one that hides.
  public let isVirtualised: Bool
  /// The hypervisor's signature (`KVMKVMKVM`); nil on bare metal or when it does not say.
  public let hypervisorVendor: String?
  /// Whether the kernel found the time-stamp counter to run at one rate in every P-state.
  public let constantTSC: Bool
  /// Whether the kernel found it to run on in deep C-states.
  public let nonstopTSC: Bool
  /// Whether CPUID promises both.
  public let invariantTSC: Bool
  /// The time-stamp counter's frequency, where CPUID or the kernel's files tell it.
  public let tscFrequency: TSCFrequency?

  /// Reads the kernel's files below the given root, beside what CPUID answers.
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
