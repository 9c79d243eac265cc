// A CPUID entry as KVM's ioctls carry it.
// Facts: KVM API document, section 4.46 (KVM_GET_SUPPORTED_CPUID), struct kvm_cpuid_entry2.

public import CKVM
public import Registers

extension CPUIDEntry {
  /// The entry as KVM gives it; the padding is dropped.
  public init(_ entry: kvm_cpuid_entry2) {
    self.init(
      function: entry.function, index: entry.index, flags: entry.flags,
      eax: entry.eax, ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx)
  }

  /// The entry as KVM takes it, with padding of zeroes.
  public var kvmEntry: kvm_cpuid_entry2 {
    kvm_cpuid_entry2(
      function: function, index: index, flags: flags, eax: eax, ebx: ebx, ecx: ecx, edx: edx, padding: (0, 0, 0))
  }
}
