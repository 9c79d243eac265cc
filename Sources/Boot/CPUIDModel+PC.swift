// The CPUID of a PC with one processor, from the CPUID that KVM supports. KVM copies the host's topology, which has
// more processors.
// Facts: Intel SDM vol. 2, CPUID leaves 1, 4, 0BH and 1FH; AMD APM vol. 3, appendix E, leaves 8000_0008, 8000_001D and
// 8000_001E; KVM API document, section 4.46 (what a VMM must fill in).

public import Registers

extension CPUIDModel {
  /// The model of a machine whose only processor has APIC ID 0 and runs under a hypervisor.
  ///
  /// `hasDeadlineTimer` says whether KVM's local APIC has IA32_TSC_DEADLINE, which KVM_GET_SUPPORTED_CPUID leaves out.
  public func ofOneProcessor(hasDeadlineTimer: Bool) -> CPUIDModel {
    var model = self
    for index in model.entries.indices { model.entries[index].describeOneProcessor() }
    model.set(.hypervisor, to: true)
    model.set(.tscDeadlineTimer, to: hasDeadlineTimer)
    return model
  }
}

extension CPUIDEntry {
  fileprivate mutating func describeOneProcessor() {
    switch function {
    case 1:
      // EBX: APIC ID in 31..24, logical processors in 23..16, which is valid only if HTT is set (EDX 28).
      ebx = ebx & 0xffff | 1 << 16
      edx &= ~(1 << 28)
    case 4: eax &= 0x3fff  // processors that share the cache, cores in the package: one each
    case 0xb, 0x1f:
      // One processor at each level; EDX is the x2APIC ID. ECX: the level's number and its kind, thread then core.
      (eax, ebx, edx) = (0, index < 2 ? 1 : 0, 0)
      ecx = index | (index < 2 ? (index + 1) << 8 : 0)
    case 0x8000_0008: ecx &= ~0xffff  // processors, and the bits of the APIC ID that number them
    case 0x8000_001d: eax &= 0x3fff
    case 0x8000_001e: (eax, ebx, ecx) = (0, 0, 0)
    default: break
    }
  }
}
