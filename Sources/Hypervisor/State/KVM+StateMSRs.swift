// Which MSRs belong to a vCPU's state.
// Facts: KVM API document, section 4.3 (KVM_GET_MSR_INDEX_LIST leaves out the machine-check banks); Linux
// arch/x86/kvm/x86.c (msrs_to_save_base, which has no MTRRs either) and mtrr.c; Intel SDM vol. 3, 12.11.2 (MTRRs) and
// 16.3.2 (banks of four MSRs).

extension KVM {
  /// The MSRs that KVM saves and restores for a guest on this host, and those that it keeps and does not list.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public func stateMSRs() throws(KVMError) -> [MSR] {
    let listed = try msrIndices()
    let known = Set(listed)
    return listed + (MSR.memoryTypes + MSR.machineCheckBanks).filter { !known.contains($0) }
  }
}

extension MSR {
  /// KVM emulates eight variable ranges.
  fileprivate static let memoryTypes =
    ([0x200...0x20f, 0x250...0x250, 0x258...0x259, 0x268...0x26f, 0x2ff...0x2ff]
    as [ClosedRange<UInt32>]).flatMap { $0.map(MSR.init(rawValue:)) }
  /// A vCPU has at most 32 banks, of a control, a status, an address and another register each.
  fileprivate static let machineCheckBanks = (0x400...0x47f as ClosedRange<UInt32>).map(MSR.init(rawValue:))

  private static let zeroAtReset = Set(memoryTypes + machineCheckBanks.filter { $0.rawValue & 3 != 0 })

  /// Whether KVM does not list the MSR and a new vCPU has this value of it, so that the state can leave it out.
  func isUnlisted(withResetValue value: UInt64) -> Bool { value == 0 && Self.zeroAtReset.contains(self) }
}
