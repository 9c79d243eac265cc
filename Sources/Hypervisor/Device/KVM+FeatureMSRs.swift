// The MSRs by which KVM tells what of the processor its guests can have beside CPUID: VMX's capabilities and their
// like.
// Facts: KVM API document, section 4.18 (KVM_GET_MSRS on the system descriptor), KVM_GET_MSR_FEATURE_INDEX_LIST; Linux
// arch/x86/kvm/x86.c (msr_based_features_all_except_vmx, kvm_get_msr_feature).

import CKVM

extension KVM {
  /// The feature MSRs of this host and their values; nil where this KVM does not tell any (Linux before 4.17).
  ///
  /// One that KVM lists and does not read is left out.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public func featureMSRs() throws(KVMError) -> [MSREntry]? {
    guard try value(of: .getMSRFeatures) > 0 else { return nil }
    var entries: [MSREntry] = []
    for msr in try featureMSRIndices() {
      var list = MSREntryList(capacity: 1)
      list[0] = kvm_msr_entry(index: msr.rawValue, reserved: 0, data: 0)
      if try list.request(.getMSRs, of: descriptor) == 1 { entries.append(MSREntry(msr, list[0].data)) }
    }
    return entries
  }
}
