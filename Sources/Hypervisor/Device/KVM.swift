// The system descriptor: what this host's KVM is and offers.
// Facts: KVM API document, sections 4.1 to 4.6 (system requests), 4.36 (KVM_SET_TSS_ADDR), 4.46 (supported CPUID), 4.18
// (feature MSRs).

import CKVM
public import SystemPackage

/// The host's KVM, opened.
public struct KVM: ~Copyable, Sendable {
  let descriptor: Descriptor
  private let vcpuMapSize: Int

  /// Where VMX real mode keeps its pages: below the firmware, as other VMMs have it.
  private static let tssAddress: UInt = 0xfffb_d000

  /// The device file that is opened by default.
  public static let defaultPath: FilePath = "/dev/kvm"

  /// Opens KVM and checks its API version.
  ///
  /// - Throws: `KVMError` when the file cannot be opened, is not a KVM device, or has another API version.
  public init(path: FilePath = KVM.defaultPath) throws(KVMError) {
    let descriptor = try Descriptor.open(path)
    let version: CInt
    do { version = try descriptor.request(.getAPIVersion) } catch { throw KVMError(.open(path), error.code) }
    guard version == KVM_API_VERSION else { throw KVMError(.checkVersion(found: Int(version)), .notSupported) }
    vcpuMapSize = Int(try descriptor.request(.getVCPUMapSize))
    self.descriptor = descriptor
  }

  /// What KVM answers for a capability: 0 when it is absent, 1 or a capability's own number when it is there.
  ///
  /// - Throws: `KVMError` when KVM refuses the request.
  public func value(of capability: Capability) throws(KVMError) -> Int {
    Int(try descriptor.request(.checkExtension, UInt(capability.rawValue)))
  }

  /// Whether KVM has a capability.
  ///
  /// - Throws: `KVMError` when KVM refuses the request.
  public func has(_ capability: Capability) throws(KVMError) -> Bool { try value(of: capability) > 0 }

  /// The CPUID that KVM can give a guest on this host.
  ///
  /// - Throws: `KVMError` when KVM refuses, or has more than 4096 entries.
  public func supportedCPUID() throws(KVMError) -> CPUIDModel {
    var capacity = 128
    while true {
      var list = CPUIDEntryList(capacity: capacity)
      do {
        try list.request(.getSupportedCPUID, of: descriptor)
        return CPUIDModel((0..<list.count).map { CPUIDEntry(list[$0]) })
      } catch  where error.code == .argListTooLong && capacity < 4096 {
        capacity *= 2
      }
    }
  }

  /// The MSRs that KVM saves and restores for a guest on this host.
  ///
  /// - Throws: `KVMError` when KVM refuses.
  public func msrIndices() throws(KVMError) -> [MSR] { try indices(.getMSRIndexList) }

  /// The MSRs that describe features of this host and its KVM.
  ///
  /// - Throws: `KVMError` when KVM refuses, or lacks KVM_CAP_GET_MSR_FEATURES.
  public func featureMSRIndices() throws(KVMError) -> [MSR] { try indices(.getMSRFeatureIndexList) }

  /// The feature MSRs of this host and their values; nil on a KVM without KVM_CAP_GET_MSR_FEATURES (Linux before 4.17).
  ///
  /// An MSR that KVM lists but does not read is left out.
  ///
  /// - Throws: `KVMError` when KVM fails.
  public func featureMSRs() throws(KVMError) -> [MSREntry]? {
    guard try has(.getMSRFeatures) else { return nil }
    var entries: [MSREntry] = []
    for msr in try featureMSRIndices() {
      if let value = try featureMSR(msr) { entries.append(MSREntry(msr, value)) }
    }
    return entries
  }

  private func indices(_ request: Request) throws(KVMError) -> [MSR] {
    var capacity = 512
    while true {
      var list = MSRIndexList(capacity: capacity)
      do {
        try list.request(request, of: descriptor)
        return (0..<list.count).map { MSR(rawValue: list[$0]) }
      } catch  where error.code == .argListTooLong && capacity < 1 << 16 {
        capacity *= 2
      }
    }
  }

  /// The value of a feature MSR as KVM offers it to guests; nil if KVM has no such feature MSR.
  ///
  /// - Throws: `KVMError` when KVM fails to read it.
  public func featureMSR(_ msr: MSR) throws(KVMError) -> UInt64? {
    var list = MSREntryList(capacity: 1)
    list[0] = kvm_msr_entry(index: msr.rawValue, reserved: 0, data: 0)
    let read: CInt?
    do { read = try list.request(.getMSRs, of: descriptor) } catch { read = try error.absent() }
    return read == 1 ? list[0].data : nil
  }

  /// Makes an empty VM.
  ///
  /// - Throws: `KVMError` when the host has no room for one.
  public func makeVM() throws(KVMError) -> VirtualMachine {
    while true {
      do {
        let vm = Descriptor(owning: try descriptor.request(.createVM))
        // A VMX processor that cannot run real mode by itself needs three pages of the guest's address space for it.
        if try has(.setTSSAddress) { try vm.request(.setTSSAddress, Self.tssAddress) }
        return VirtualMachine(descriptor: vm, vcpuMapSize: vcpuMapSize)
      } catch  where error.code == .interrupted {
        continue
      }
    }
  }
}
